"""Console entry `source-linkless`: signals, our validation in place of the CDK's, launch.

The imports of the CDK stand inside the functions: a signal must find its handler before two seconds of imports.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

_LOCK_SECONDS = 0.5


def run() -> None:
    """Run the connector with the arguments of the process; ends with the exit code that Airbyte expects."""
    _end_on_sigterm()
    from source_linkless.launch import launch  # noqa: PLC0415 - see the module's docstring

    launch(sys.argv[1:])


def _end_on_sigterm() -> None:
    """End with 143 within a second of SIGTERM, without tearing a line apart.

    The CDK has no handler, and as process 1 of a container Python would ignore the signal. A handler that raises can
    cut a message in two; a thread that waits for the signal, takes the lock of the print buffer and flushes cannot.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # inherited by every later thread
    threading.Thread(target=_wait_for_sigterm, name="sigterm", daemon=True).start()


def _wait_for_sigterm() -> None:
    signal.sigwait({signal.SIGTERM})
    logger = sys.modules.get("airbyte_cdk.logger")
    buffer = getattr(logger, "PRINT_BUFFER", None)
    if buffer is not None and buffer.lock.acquire(timeout=_LOCK_SECONDS):
        buffer.flush()
    os._exit(128 + signal.SIGTERM)
