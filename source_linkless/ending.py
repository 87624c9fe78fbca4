"""How a process ends before its work is done: told to stop, or left by whoever read its output."""

from __future__ import annotations

import os
import signal
import sys
import threading

_LOCK_SECONDS = 0.5
_STDOUT = 1


def end_on_sigterm() -> None:
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


def end_unread() -> None:
    """End with 141, as a shell tells of SIGPIPE: that nobody reads any more (`... | head -1`) needs no traceback.

    The signal itself stays ignored: it would also end a process whose provider closes a connection. What the
    buffers still hold is flushed at the end, into nothing.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), _STDOUT)
    sys.exit(128 + signal.SIGPIPE)
