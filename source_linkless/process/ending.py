"""How a process ends before its work is done: told to stop, or left without an output.

    told to stop (SIGTERM)               the line is finished   143
    nobody reads the output any more     at once                141, as of a program that SIGPIPE ends
    the output cannot be written         at once                 74, and the system's reason on standard error

What is not written is not kept, and a login whose announcement nobody keeps must not be submitted: so the process ends.
"""

from __future__ import annotations

import errno
import io
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, NoReturn

_LOCK_SECONDS = 0.5
_ENDING = threading.Lock()
_STDOUT, _STDERR = 1, 2
_TERMINATED, _NOBODY_READS, _NOT_WRITTEN = 128 + signal.SIGTERM, 128 + signal.SIGPIPE, os.EX_IOERR


def end_on_sigterm() -> None:
    """End with 143 within a second of SIGTERM, without tearing a line apart.

    The CDK has no handler, and as process 1 of a container Python would ignore the signal. A handler that raises can
    cut a message in two; a thread that waits for the signal, takes the lock of the print buffer and flushes cannot.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # inherited by every later thread
    _beside("sigterm", _wait_for_sigterm)


def _wait_for_sigterm() -> None:
    signal.sigwait({signal.SIGTERM})
    logger = sys.modules.get("airbyte_cdk.logger")
    buffer = getattr(logger, "PRINT_BUFFER", None)
    if buffer is not None and buffer.lock.acquire(timeout=_LOCK_SECONDS):
        buffer.flush()
    _end(_TERMINATED)


def end_without_output() -> None:
    """End as soon as the output is gone, also while nothing is said: then only a look at it tells.

    Not by the signal SIGPIPE, which would end the process for a connection that the provider has closed, too. And not
    by the exception of a failed write: the CDK's logger swallows it and prints what it could not say.
    """
    output = io.BufferedWriter(_Output(_STDOUT, "w", closefd=False))
    stream = io.TextIOWrapper(output, encoding="utf-8")
    sys.stdout = sys.__stdout__ = stream  # type: ignore[misc]  # final in the stubs, yet the CDK writes to it
    _beside("consumer", _wait_for_hangup)


class _Output(io.FileIO):
    """Standard output; a write that fails ends the process."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            end_unwritten(error)


def end_unwritten(error: OSError) -> NoReturn:
    """End after a write to standard output that failed, without a traceback and without another try at exit."""
    if error.errno == errno.EPIPE:
        _end(_NOBODY_READS)
    os.write(_STDERR, f"Standard output cannot be written: {error.strerror}. The run has ended here.\n".encode())
    _end(_NOT_WRITTEN)


def _wait_for_hangup() -> None:
    output = select.poll()
    output.register(_STDOUT, 0)  # a hang-up is told unasked; a file never hangs up
    while not output.poll():
        pass
    _end(_NOBODY_READS)


def _end(code: int) -> NoReturn:
    """End at once. Two threads may find a reason at the same time: the first one ends the process, the other waits."""
    _ENDING.acquire()
    os._exit(code)


def _beside(name: str, work: Callable[[], None]) -> None:
    threading.Thread(target=work, name=name, daemon=True).start()
