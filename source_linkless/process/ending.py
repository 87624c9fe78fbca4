"""How a process ends before its work is done: on a signal, or because its output is gone.

    SIGTERM                          after the current line      143
    SIGINT (Ctrl-C)                  after the current line      130
    the reader of the output left    at once                     141, as a program that SIGPIPE ends
    the output cannot be written     at once                      74, with the system's reason on standard error

Nothing that was not written is kept, and a login must not be submitted when the announcement of it may be lost. So the
process ends.
"""

import contextlib
import errno
import fcntl
import io
import os
import select
import signal
import stat
import struct
import sys
import termios
import threading
from collections.abc import Callable
from time import sleep
from typing import Any, NoReturn

_FLUSH_SECONDS, _LINE_SECONDS = 0.5, 1.0
_STDOUT, _STDERR = 1, 2
_SIGNALS = {signal.SIGTERM, signal.SIGINT}
_NOBODY_READS, _NOT_WRITTEN = 128 + signal.SIGPIPE, os.EX_IOERR
_WRITING = threading.Lock()  # held while a line is being written, so that the process never ends inside one
_ENDING = threading.Lock()


def end_early() -> None:
    """End from now on within two seconds of SIGTERM or SIGINT, and as soon as the output is gone.

    The CDK has no handler of signals, and as process 1 of a container Python would ignore them. A handler that raises
    can cut a message in two; a thread that waits for the signal, flushes and waits for the end of the line cannot.

    The output is watched by a thread, too. SIGPIPE would end the process also for a connection that the provider has
    closed, and the CDK's logger swallows the exception of a failed write and prints what it could not write.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # inherited by every later thread
    _beside("signals", _wait_for_signal)
    # Of an output that was closed from the start, the next file or socket to be opened would take the number.
    try:
        os.fstat(_STDERR)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), _STDERR)
    try:
        os.fstat(_STDOUT)
    except OSError as error:
        end_unwritten(error)
    output = io.BufferedWriter(_Output(_STDOUT, "w", closefd=False))
    stream = io.TextIOWrapper(output, encoding="utf-8")
    sys.stdout = sys.__stdout__ = stream  # type: ignore[misc]  # final in the stubs, yet the CDK writes to it
    _beside("consumer", _wait_for_hangup)


def end_unwritten(error: OSError) -> NoReturn:
    """End after a write to standard output that failed, without a traceback and without another try at exit."""
    if error.errno == errno.EPIPE:
        _end(_NOBODY_READS)
    with contextlib.suppress(OSError):
        os.write(_STDERR, f"Standard output cannot be written: {error.strerror}. The run has ended here.\n".encode())
    _end(_NOT_WRITTEN)


def _end(code: int) -> NoReturn:
    """End at once. Two threads may find a reason at the same time: the first one ends the process, the other waits."""
    _ENDING.acquire()
    os._exit(code)


def _beside(name: str, work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread


def _wait_for_signal() -> None:
    number = signal.sigwait(_SIGNALS)
    flushing = _beside("last flush", _flush)
    flushing.join(_FLUSH_SECONDS)  # a flush into an output that nobody reads would never return
    _WRITING.acquire(timeout=_LINE_SECONDS)
    _end(128 + number)


def _flush() -> None:
    buffer = getattr(sys.modules.get("airbyte_cdk.logger"), "PRINT_BUFFER", None)
    if buffer is not None:
        buffer.flush()


def _wait_for_hangup() -> None:
    output = select.poll()
    output.register(_STDOUT, 0)  # a hang-up is told unasked; a file never hangs up
    while not output.poll():
        pass
    _end(_NOBODY_READS)


class _Output(io.FileIO):
    """Standard output. A write that fails ends the process; into a pipe go whole lines or nothing."""

    def write(self, data: Any, /) -> int:
        content = bytes(data)
        try:
            if stat.S_ISFIFO(os.fstat(_STDOUT).st_mode) and hasattr(fcntl, "F_GETPIPE_SZ"):
                _write_lines(content)
            else:
                _write(memoryview(content))
        except OSError as error:
            end_unwritten(error)
        return len(content)


def _write(data: memoryview) -> None:
    with _WRITING:
        while data:
            data = data[os.write(_STDOUT, data) :]


def _write_lines(content: bytes) -> None:
    """Write lines into a pipe so that it holds whole lines whenever its reader pauses.

    The kernel takes as much of a write as there is room for and waits with the rest, which leaves half a line in the
    pipe. So each write here is one that fits at once: an empty pipe takes its whole size, and one that is ready takes
    4 KiB (pipe(7), PIPE_BUF). Only a line longer than the largest pipe, usually 1 MiB, is written in parts.
    """
    ready = select.poll()
    ready.register(_STDOUT, select.POLLOUT)
    view, start = memoryview(content), 0
    while start < len(content):
        first_line = content.find(b"\n", start) + 1 or len(content)
        size = fcntl.fcntl(_STDOUT, fcntl.F_GETPIPE_SZ)
        if first_line - start > size:
            with contextlib.suppress(OSError):  # more than the system allows
                size = fcntl.fcntl(_STDOUT, fcntl.F_SETPIPE_SZ, first_line - start)
        ready.poll()
        pause = 0.0001
        # The system tells when a pipe has room for 4 KiB, but not when it is empty.
        while first_line - start > select.PIPE_BUF and not _is_empty():
            sleep(pause)
            pause = min(2 * pause, 0.01)
        limit = start + (size if _is_empty() else select.PIPE_BUF)
        end = max(first_line, content.rfind(b"\n", start, limit) + 1)
        _write(view[start:end])
        start = end


def _is_empty() -> bool:
    return struct.unpack("i", fcntl.ioctl(_STDOUT, termios.FIONREAD, bytes(4))) == (0,)
