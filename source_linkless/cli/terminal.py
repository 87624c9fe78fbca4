"""A terminal at which somebody sits: one line is asked and read, without echo where it is a secret.

Reading is a wait of the event loop like any other: it can be cancelled at any moment, and the terminal is left as it
was found.
"""

from __future__ import annotations

import asyncio
import os
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

_LINE_BYTES = 4096
_LOCAL_FLAGS = 3  # place of the local modes in what termios returns


class Terminal:
    """A terminal to read from."""

    def __init__(self, descriptor: int) -> None:
        """Read from the terminal that is open as `descriptor`."""
        self._descriptor = descriptor

    @classmethod
    def of_process(cls) -> Terminal | None:
        """Return the terminal where questions can be seen and answered, or None when nobody could."""
        if not sys.stderr.isatty():
            return None
        if sys.stdin.isatty():
            return cls(sys.stdin.fileno())
        try:  # standard input is taken, for example by --password-stdin
            return cls(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
        except OSError:
            return None

    async def ask(self, prompt: str, show: TextIO, *, hidden: bool) -> str | None:
        """Show `prompt` on `show` and return the line that is typed, or None at its end (Ctrl-D)."""
        with self._without_echo(show) if hidden else _as_it_is():
            show.write(prompt)
            show.flush()
            return await self._line()

    async def _line(self) -> str | None:
        loop = asyncio.get_running_loop()
        line: asyncio.Future[bytes] = loop.create_future()

        def read() -> None:
            if not line.done():
                line.set_result(_read(self._descriptor))

        loop.add_reader(self._descriptor, read)
        try:
            typed = (await line).decode(errors="replace")
        finally:
            loop.remove_reader(self._descriptor)
        return typed.rstrip("\r\n") if typed else None

    @contextmanager
    def _without_echo(self, show: TextIO) -> Iterator[None]:
        before = termios.tcgetattr(self._descriptor)
        silent = list(before)
        silent[_LOCAL_FLAGS] = before[_LOCAL_FLAGS] & ~termios.ECHO
        termios.tcsetattr(self._descriptor, termios.TCSAFLUSH, silent)  # what was typed too early is no secret yet
        try:
            yield
        finally:
            with suppress(termios.error):  # the terminal has been closed
                termios.tcsetattr(self._descriptor, termios.TCSADRAIN, before)
            show.write("\n")
            show.flush()


@contextmanager
def _as_it_is() -> Iterator[None]:
    yield


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _LINE_BYTES)
    except OSError:  # the terminal has been closed
        return b""
