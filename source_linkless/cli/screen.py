"""What a person sees: sentences and tables of 80 columns, without colour, and a moving line per login.

Results go to standard output, progress to standard error. While a question is open, everything else waits.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from source_linkless.config import masking
from source_linkless.errors import Status
from source_linkless.linking import events
from source_linkless.provider import outcomes

COLUMNS = 80

_NAME_COLUMNS = 36  # a UUID is not folded, so that it can be copied
_FEW_LOGINS, _ROWS = 20, 8
_SAID = {"NOT_ASKED_YET": "submitting"}
_BROWSER = "Only a browser can do that: run `linkless link --browser`."
_AGAIN = "Run `linkless link` again when you have it at hand."
_BY_REASON = {
    "MfaQuestion": f"The code was not given. {_AGAIN}",
    "MfaQuestionNoAnswer": f"No answer came in time. {_AGAIN}",
    "MfaQuestionInvalidAnswer": "The answer was wrong twice. Run `linkless link` again to be asked again.",
    "SecurityQuestion": "The question was not answered. Run `linkless link` again.",
    "AccountSelection": "No account was chosen. Run `linkless link` again.",
}
_BY_MESSAGE = {
    outcomes.CAPTCHA.advice: f"The utility shows a captcha. {_BROWSER}",
    outcomes.METHOD.advice: f"The utility asks how to send a code. {_BROWSER}",
    outcomes.CREDENTIALS.advice: (
        "The utility refused the username or the password. Run `linkless link` again to type another password. Make "
        "sure of it at the utility's portal first: a few wrong ones lock an account."
    ),
}
_NO_TERMINAL = "It needs a person, and there is no terminal to ask one: run `linkless link` in a terminal."
_WORDS = {
    Status.READY: "linked",
    Status.NO_DATA: "no data",
    Status.PENDING: "still connecting",
    Status.NEEDS_USER: "needs you",
    Status.FAILED: "failed",
}


def printable(text: str) -> str:
    """Return a text as it may be shown: registered secrets masked, no characters that would control a terminal.

    Everything that the provider says to a person passes here, or it could say back a password.
    """
    return "".join(character if character.isprintable() else " " for character in masking.hidden(text))


def wrapped(text: str, indent: str = "") -> str:
    """Return a text in lines of 80 columns; all but the first begin with `indent`."""
    return textwrap.fill(
        printable(text), COLUMNS, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def duration(seconds: float) -> str:
    """Return the time that is left as minutes and seconds."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    return f"{minutes}:{rest:02d}"


def advice(outcome: outcomes.Outcome, *, has_person: bool) -> str:
    """Return what to do about an outcome for a person at the command line."""
    reason = outcome.reason or ""
    if reason in _BY_REASON:
        return _BY_REASON[reason] if has_person else _NO_TERMINAL
    return _BY_MESSAGE.get(outcome.message, outcome.message)


def line_of(key: str, outcome: outcomes.Outcome, seconds: float, *, has_person: bool) -> str:
    """Return how one login ended, as a paragraph."""
    took = f" ({seconds:.0f} s)" if outcome.status is Status.READY else ""
    reason = f" {outcome.reason}." if outcome.reason else ""
    what = advice(outcome, has_person=has_person)
    detail = f" ({outcome.detail})" if outcome.detail else ""
    return wrapped(f"{key}: {_WORDS[outcome.status]}{took}.{reason} {what}{detail}".rstrip(), "  ")


def table(*headings: str, rows: Sequence[Sequence[Any]]) -> str:
    """Return rows of cells in columns; long cells are folded, None is an empty cell, a list is lines of one cell."""
    drawn = Table(box=None, padding=(0, 2, 0, 0))  # without pad_edge rich cuts the ends of folded lines
    for heading in headings:
        drawn.add_column(heading, overflow="fold")
    drawn.columns[0].min_width = min(_NAME_COLUMNS, max((len(str(row[0] or "")) for row in rows), default=0))
    for row in rows:
        drawn.add_row(*(_cell(cell) for cell in row))
    page = io.StringIO()
    Console(file=page, width=COLUMNS, color_system=None).print(drawn)
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines())


def _cell(value: Any) -> Text:
    lines = value if isinstance(value, list) else [value]
    texts = (printable(line) if isinstance(line, str) else str(line) for line in lines if line is not None)
    return Text("\n".join(texts))


def sources_table(sources: Sequence[Mapping[str, Any]]) -> str:
    """Return utilities as `/link/sources` lists them (API notes, section 2.6), an empty line between two."""
    rows = [[one.get("source_id"), one.get("country"), list(_about(one))] for one in sources]
    spaced = [row for one in rows for row in (one, [None] * 3)][:-1]
    return table("ID", "Country", "Utility and its login form", rows=spaced)


def _about(source: Mapping[str, Any]) -> Iterator[Any]:
    yield source.get("name")
    yield source.get("website")
    for field in source.get("fields") or ():
        if isinstance(field, dict):
            secret = " (secret)" if field.get("field_type") == "Password" else ""
            yield f"- {field.get('field_name')}: {field.get('field_label')}{secret}"


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
        """Print a result."""
        self._print(self._out, text)

    def note(self, text: str) -> None:
        """Print progress."""
        self._print(self._err, text)

    def watch(self, waiting: Sequence[events.Waiting]) -> None:
        """Show how far the logins are that have not ended yet."""
        if self._live is None:
            self._note_steps(waiting)
        elif self._held is None:
            self._live.start()
            self._live.update(Text(_lines(waiting)), refresh=True)

    @contextmanager
    def paused(self) -> Iterator[TextIO]:
        """Leave the terminal to a question; what is printed meanwhile follows after it."""
        self.rest()
        self._held = []
        try:
            yield self._err
        finally:
            held, self._held = self._held, None
            for stream, text in held:
                self._print(stream, text)

    def rest(self) -> None:
        """Remove the moving lines until they are shown again."""
        if self._live is not None and self._live.is_started:
            self._live.update(Text(""))
            self._live.stop()

    def _note_steps(self, waiting: Sequence[events.Waiting]) -> None:
        for one in waiting if len(waiting) <= _FEW_LOGINS else ():
            if self._seen.get(one.key) != one.reason:
                self._seen[one.key] = one.reason
                self.note(_line(one))

    def _print(self, stream: TextIO, text: str) -> None:
        if self._held is not None:
            self._held.append((stream, text))
        elif self._live is not None and self._live.is_started:
            self._console.print(Text(text), soft_wrap=True)
        else:
            with suppress(OSError):  # the reader has gone; what is under way is finished all the same
                stream.write(f"{text}\n")
                stream.flush()


def _lines(waiting: Sequence[events.Waiting]) -> str:
    more = [f"... and {len(waiting) - _ROWS} more"] if len(waiting) > _ROWS else []
    return "\n".join([*(_line(one) for one in waiting[:_ROWS]), *more])


def _line(waiting: events.Waiting) -> str:
    reason = printable(_SAID.get(waiting.reason, waiting.reason))
    line = f"{waiting.key}: {reason} ({waiting.seconds:.0f} s)"
    return line if len(line) <= COLUMNS - 1 else line[: COLUMNS - 4] + "..."
