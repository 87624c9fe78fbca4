"""What the connector says while it works: its lines as they come and, on a terminal, whom it is waiting for now."""

from __future__ import annotations

import logging
import re
import time

from rich.console import Console
from rich.live import Live
from rich.text import Text

_CHATTER = re.compile(r"^\{|^MemoryMonitor|\nTraceback ")  # unknown messages, the CDK's memory, stack traces
_WAITING = re.compile(r"^(?P<login>.+): (?P<word>\w+) \(\d+ s\)$")
_NAMED = 5


class Watch(logging.Handler):
    """Shows log lines with the seconds so far, and keeps the errors, which are said at the end.

    PyAirbyte logs the connector's lines as INFO whatever their level, and the errors of its traces as ERROR.
    """

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.errors: list[str] = []
        self._console = console
        self._started = time.monotonic()
        self._waiting: dict[str, str] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Show a line, unless it is an error, a stack trace or chatter of the CDK."""
        line = record.getMessage().strip()
        if record.levelno >= logging.ERROR:
            self.errors.append(line)
        elif line and not _CHATTER.search(line):
            self._follow(line)
            self._console.print(f"{self._seconds():6.1f} s  {line}", markup=False, soft_wrap=True)

    def live(self) -> Live:
        """Return a context in which a terminal shows the waiting logins below the lines."""
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
            self._waiting[moved["login"]] = moved["word"]
        else:
            self._waiting.pop(line.partition(": ")[0], None)

    def _now(self) -> Text:
        names = [f"{login} ({reason})" for login, reason in self._waiting.items()]
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        what = f"waiting for {', '.join(names[:_NAMED])}{more}" if names else "working"
        return Text(f"{self._seconds():6.1f} s  ... {what}", style="dim", no_wrap=True, overflow="ellipsis")

    def _seconds(self) -> float:
        return time.monotonic() - self._started
