"""What a person sees while logins are linked: a moving line per login on a terminal, else a line per step.

Results go to standard output, progress to standard error. While a question is open, everything else waits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from source_linkless.cli.wording import COLUMNS, printable
from source_linkless.concurrency.waiting import time
from source_linkless.linking.running import Opening

_FEW_LOGINS, _ROWS = 20, 8
_SAID = {"NOT_ASKED_YET": "submitting"}


class Screen:
    """Both outputs of the command, and the lines that move on them."""

    def __init__(self, out: TextIO, err: TextIO) -> None:
        """Write to these; lines move only where both are one terminal."""
        self._out, self._err = out, err
        self._console = Console(file=out, color_system=None, highlight=False, markup=False, emoji=False)
        moves = out.isatty() and err.isatty() and not self._console.is_dumb_terminal
        self._live = Live(console=self._console, auto_refresh=False, transient=True) if moves else None
        self._seen: dict[str, str] = {}
        self._held: list[tuple[TextIO, str]] | None = None

    def say(self, text: str) -> None:
        """Tell a result."""
        self._print(self._out, text)

    def note(self, text: str) -> None:
        """Tell about progress."""
        self._print(self._err, text)

    def watch(self, openings: Sequence[Opening]) -> None:
        """Show how far the logins are that have not ended yet."""
        waiting = [opening for opening in openings if opening.outcome is None]
        if self._live is None:
            self._tell_steps(waiting)
        elif self._held is None:
            self._live.start()
            self._live.update(Text(_rows(waiting)), refresh=True)

    @contextmanager
    def paused(self) -> Iterator[TextIO]:
        """Leave the terminal to a question; what is told meanwhile follows after it."""
        self.rest()
        self._held = []
        try:
            yield self._err
        finally:
            held, self._held = self._held, None
            for stream, text in held:
                self._print(stream, text)

    def rest(self) -> None:
        """Take the moving lines away, until they are shown again."""
        if self._live is not None and self._live.is_started:
            self._live.update(Text(""))
            self._live.stop()

    def _tell_steps(self, waiting: Sequence[Opening]) -> None:
        for opening in waiting if len(waiting) <= _FEW_LOGINS else ():
            if self._seen.get(opening.login.key) != opening.reason:
                self._seen[opening.login.key] = opening.reason
                self.note(_row(opening))

    def _print(self, stream: TextIO, text: str) -> None:
        if self._held is not None:
            self._held.append((stream, text))
        elif self._live is not None and self._live.is_started:
            self._console.print(Text(text), soft_wrap=True)
        else:
            with suppress(OSError):  # nobody reads any more; what is under way is finished all the same
                stream.write(f"{text}\n")
                stream.flush()


def _rows(waiting: Sequence[Opening]) -> str:
    more = [f"... and {len(waiting) - _ROWS} more"] if len(waiting) > _ROWS else []
    return "\n".join([*(_row(opening) for opening in waiting[:_ROWS]), *more])


def _row(opening: Opening) -> str:
    reason = printable(_SAID.get(opening.reason, opening.reason))
    row = f"{opening.login.key}: {reason} ({time() - opening.started:.0f} s)"
    return row if len(row) <= COLUMNS - 1 else row[: COLUMNS - 4] + "..."
