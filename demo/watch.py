"""What the connector does while it works: its log lines, and what a pause of more than two seconds waits for."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from rich.console import Console
from rich.live import Live
from rich.text import Text

_CHATTER = re.compile(r"^\{|^MemoryMonitor|\nTraceback ")  # unknown messages, the CDK's memory, stack traces
_WAITING = re.compile(r"^(?P<login>.+): (?P<reason>\w+) \(\d+ s\)$")
_NAMED = 5
_LONGEST_SILENCE = 1.5
"""Seconds without a line after which one tells what is waited for, where there is no terminal."""
_REPEATED = 10.0
"""Seconds between two such lines."""


class Watch(logging.Handler):
    """Shows log lines with the seconds so far, and keeps the errors, which are shown at the end.

    PyAirbyte logs the connector's lines as INFO whatever their level, and the errors of its traces as ERROR.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.errors: list[str] = []
        self._console = console
        self._clock = clock
        self._started = self._last_line = clock()
        self._told = ""
        self._waiting: dict[str, str] = {}
        self._heard = False

    def emit(self, record: logging.LogRecord) -> None:
        """Show a line, unless it is an error, a stack trace or chatter of the CDK."""
        line = record.getMessage().strip()
        if record.levelno >= logging.ERROR:
            self.errors.append(line)
        elif line and not _CHATTER.search(line):
            self._heard = True
            self._follow(line)
            self._print(line)

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Tell what is waited for: on a terminal below the lines, elsewhere in lines of their own."""
        if self._console.is_terminal:
            with self._live():
                yield
            return
        stop = Event()
        teller = Thread(target=self._tell_until, args=(stop,), daemon=True)
        teller.start()
        try:
            yield
        finally:
            stop.set()
            teller.join()

    def tell(self) -> None:
        """Print what is waited for, where nothing was printed for too long."""
        what = self._what()
        longest = _REPEATED if what == self._told else _LONGEST_SILENCE
        if self._clock() - self._last_line >= longest:
            self._told = what
            self._print(f"... {what}")

    def _tell_until(self, stop: Event) -> None:
        while not stop.wait(0.1):
            self.tell()

    def _live(self) -> Live:
        return Live(
            console=self._console,
            get_renderable=self._now,
            transient=True,
            refresh_per_second=4,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def _follow(self, line: str) -> None:
        if moved := _WAITING.match(line):
            self._waiting[moved["login"]] = moved["reason"]
        else:
            self._waiting.pop(line.partition(": ")[0], None)

    def _what(self) -> str:
        """Return what is waited for now."""
        names = [f"{login} ({reason})" for login, reason in self._waiting.items()]
        if names:
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            return f"waiting for {', '.join(names[:_NAMED])}{more}"
        return "loading the records into the database" if self._heard else "starting the connector"

    def _now(self) -> Text:
        text = f"{self._seconds():6.1f} s  ... {self._what()}"
        return Text(text, style="dim", no_wrap=True, overflow="ellipsis")

    def _print(self, line: str) -> None:
        self._last_line = self._clock()
        self._console.print(f"{self._seconds():6.1f} s  {line}", markup=False, soft_wrap=True)

    def _seconds(self) -> float:
        return self._clock() - self._started
