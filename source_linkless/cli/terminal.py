"""The terminal: what a person sees there, and what a person is asked there.

Results go to standard output, progress to standard error: sentences and tables of 80 columns, without colour, and a
moving line per login. While a question is open, everything else waits, the questions of other logins too.

Reading a line is a wait of the event loop like any other: it can be cancelled at any moment, and the terminal is left
as it was. What is typed is not shown where it is a secret.
"""

import asyncio
import io
import json
import os
import sys
import termios
import textwrap
import tomllib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import resources
from typing import Any, TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from source_linkless.concurrency import waiting
from source_linkless.config import Login, logins, masking
from source_linkless.errors import Status
from source_linkless.linking import by_hand, events
from source_linkless.provider import Account, outcomes

COLUMNS = 80
_NAME_COLUMNS = 36  # a UUID is not folded, so that it can be copied
_MOVING_ROWS = 8
_ACCOUNTS = 40
_LINE_BYTES = 4096
_LOCAL_FLAGS = 3  # place of the local modes in what termios returns
_GIVE_UP = "Enter alone gives up"
_ANSWER = f"Answer within {{}} (not shown; {_GIVE_UP}): "
_NUMBERS = "Numbers such as 1,2 or all, within {}: "
_PASSWORD = f"Password (not shown; {_GIVE_UP}): "
_NO_TERMINAL = "It needs a person, and there is no terminal to ask one: run `linkless link` in a terminal."
TEXTS = tomllib.loads(resources.files(__package__).joinpath("advice.toml").read_text(encoding="utf-8"))
_BY_REASON: dict[str | None, str] = TEXTS["by_reason"]
_BY_MESSAGE: dict[str, str] = {outcomes.MEANINGS[name].advice: text for name, text in TEXTS["by_meaning"].items()}


def printable(text: str) -> str:
    """Return a text as it may be shown: registered secrets masked, no characters that would control a terminal."""
    # Everything that the provider says to a person passes here, or it could say back a password.
    return "".join(character if character.isprintable() else " " for character in masking.hidden(text))


def wrapped(text: str, indent: str = "") -> str:
    """Return a text in lines of 80 columns; all but the first begin with `indent`."""
    return textwrap.fill(
        printable(text), COLUMNS, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def advice(outcome: outcomes.Outcome, *, has_person: bool) -> str:
    """Return what to do about an outcome for a person at the command line."""
    if outcome.reason in _BY_REASON:
        return _BY_REASON[outcome.reason] if has_person else _NO_TERMINAL
    return _BY_MESSAGE.get(outcome.message, outcome.message)


def line_of(key: str, outcome: outcomes.Outcome, seconds: float | None = None, *, has_person: bool) -> str:
    """Return how one login ended, as a paragraph; `seconds` is how long a linked one took."""
    took = f" ({seconds:.0f} s)" if outcome.status is Status.READY and seconds is not None else ""
    reason = f" {outcome.reason}." if outcome.reason else ""
    detail = f" ({outcome.detail})" if outcome.detail else ""
    what = advice(outcome, has_person=has_person)
    return wrapped(f"{key}: {TEXTS['words'][outcome.status]}{took}.{reason} {what}{detail}".rstrip(), "  ")


def table(*headings: str, rows: Sequence[Sequence[Any]]) -> str:
    """Return rows of cells in columns; long cells are folded, None is an empty cell, a list is lines of one cell."""
    drawn = Table(box=None, padding=(0, 2, 0, 0))  # without pad_edge rich cuts the ends of folded lines
    for heading in headings:
        drawn.add_column(heading, overflow="fold")
    drawn.columns[0].min_width = min(_NAME_COLUMNS, max((len(str(row[0] or "")) for row in rows), default=0))
    for row in rows:
        cells = (cell if isinstance(cell, list) else [cell] for cell in row)
        drawn.add_row(*(Text("\n".join(printable(str(one)) for one in cell if one is not None)) for cell in cells))
    page = io.StringIO()
    Console(file=page, width=COLUMNS, color_system=None).print(drawn)
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines())


def keyboard() -> int:
    """Return the descriptor of what a person types on, or -1 where no question can be seen and answered."""
    if sys.stderr.isatty() and sys.stdin.isatty():
        return sys.stdin.fileno()
    try:  # standard input may be taken, for example by --password-stdin
        return os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY) if sys.stderr.isatty() else -1
    except OSError:
        return -1


def _line(waiting: events.Waiting) -> str:
    reason = "submitting" if waiting.reason == events.NOT_ASKED_YET else waiting.reason
    line = str(replace(waiting, reason=printable(reason)))
    return line if len(line) <= COLUMNS - 1 else line[: COLUMNS - 4] + "..."


class Terminal:
    """Both outputs of the command, the lines that move on them, and who answers there: the `Person` of linking."""

    def __init__(self, out: TextIO, err: TextIO, keyboard: int = -1) -> None:
        """Write to these; lines move only where both are one terminal. `keyboard` is a descriptor, or -1 for none."""
        if isinstance(out, io.TextIOWrapper):
            out.reconfigure(errors="backslashreplace")  # as standard error: a name in it must not end a run
        self._out, self._err, self._keyboard = out, err, keyboard
        self._console = Console(file=out, color_system=None, highlight=False, markup=False, emoji=False)
        moves = out.isatty() and err.isatty() and not self._console.is_dumb_terminal
        self._live = Live(console=self._console, auto_refresh=False, transient=True) if moves else None
        self._seen: dict[str, str] = {}
        self._held: list[tuple[TextIO, str]] | None = None
        self._turn = asyncio.Lock()
        self.passwords: dict[str, str] = {}  # new ones by key, to be written
        self.person: by_hand.Person | None = self if keyboard >= 0 else None

    def tell(self, sentence: str) -> None:
        """Print a sentence as a result."""
        self.say(wrapped(sentence))

    def say(self, text: str) -> None:
        """Print a result."""
        self._print(self._out, text)

    def say_json(self, value: Any) -> None:
        """Print a value for programs, with escapes where the output is not UTF-8."""
        self.say(json.dumps(value, indent=2, ensure_ascii=self._out.encoding not in (None, "utf-8")))

    def note(self, text: str) -> None:
        """Print progress."""
        self._print(self._err, text)

    def watch(self, waiting: Sequence[events.Waiting]) -> None:
        """Show how far the logins are that have not ended yet."""
        if self._live is None:
            for one in waiting if len(waiting) <= events.FEW_LOGINS else ():
                if self._seen.get(one.key) != one.reason:
                    self._seen[one.key] = one.reason
                    self.note(_line(one))
        elif self._held is None:
            more = [f"... and {len(waiting) - _MOVING_ROWS} more"] if len(waiting) > _MOVING_ROWS else []
            self._live.start()
            self._live.update(Text("\n".join([*map(_line, waiting[:_MOVING_ROWS]), *more])), refresh=True)

    def rest(self) -> None:
        """Remove the moving lines until they are shown again."""
        if self._live and self._live.is_started:
            self._live.update(Text(""))
            self._live.stop()

    def _print(self, stream: TextIO, text: str) -> None:
        if self._held is not None:
            self._held.append((stream, text))
        elif self._live is not None and self._live.is_started:
            self._console.print(Text(text), soft_wrap=True)
        else:
            with suppress(OSError):  # the reader has gone; what is under way is finished all the same
                stream.write(f"{text}\n")
                stream.flush()

    async def answer(self, login: Login, question: str, ends: float, *, is_repeated: bool = False) -> str | None:
        """Ask for a code or the answer to a security question."""
        asks = "that answer was not accepted; one more try" if is_repeated else "the utility asks"
        heading = [wrapped(f"{login.key}: {asks}", "  "), wrapped(f"  {question}", "  ")]
        return (await self._ask(heading, _ANSWER, ends, hidden=True)).strip() or None

    async def choose(self, login: Login, accounts: Sequence[Account], ends: float) -> Sequence[str] | None:
        """Ask which accounts to link."""
        heading = [wrapped(f"{login.key}: which accounts should be linked?", "  ")]
        for number, account in enumerate(accounts[:_ACCOUNTS], start=1):
            heading.append(wrapped(f"  {number:>2}  {account.number}  {account.address or ''}".rstrip(), "      "))
        if len(accounts) > _ACCOUNTS:
            heading.append(f"  ... and {len(accounts) - _ACCOUNTS} more")
        by_number = {str(number): account.account_id for number, account in enumerate(accounts, start=1)}
        while typed := (await self._ask(heading, _NUMBERS, ends)).strip():
            words = by_number if typed.lower() == "all" else typed.replace(",", " ").split()
            numbers = {word.lstrip("0") for word in words}
            if numbers and numbers <= by_number.keys():
                return [account_id for number, account_id in by_number.items() if number in numbers]
            heading = [f"Please type numbers from 1 to {len(accounts)}, or all. {_GIVE_UP}."]
        return None

    async def correct(self, login: Login) -> Login | None:
        """Ask for another password after the utility has refused one."""
        if login.fields is not None:
            return None
        typed = await self.new_password(f"{login.key}: the utility refused {login.username} or the password.")
        if typed == login.password:
            self.note(wrapped(f"{login.key}: that is the password that was refused. It is not sent again."))
        elif typed is not None:
            self.passwords[login.key] = typed
            return replace(login, password=typed)
        return None

    async def confirm(self, warning: str, key: str) -> bool:
        """Ask for a key to be typed, as a confirmation."""
        return (await self._ask([wrapped(warning)], "Type its key to go on: ")).strip() == key

    async def new_password(self, heading: str) -> str | None:
        """Ask for a password until one is typed that can be sent, or none."""
        while typed := await self._ask([wrapped(heading)], _PASSWORD, hidden=True):
            if logins.is_whole(typed) and not logins.is_masked(typed) and typed.strip():
                return typed
            heading = "That cannot be a password."
        return None

    async def _ask(self, heading: Sequence[str], prompt: str, ends: float = 0, *, hidden: bool = False) -> str:
        """Ask when no other question is open; the prompt may have a place for the time that is left then."""
        async with self._turn:
            self.rest()
            self._held = []  # what is printed meanwhile follows after the answer
            try:
                self._err.write("\n".join([*heading, ""]))
                minutes, seconds = divmod(max(0, round(ends - waiting.time())), 60)
                return await self.line(prompt.format(f"{minutes}:{seconds:02d}"), hidden=hidden) or ""
            finally:
                held, self._held = self._held, None
                for stream, text in held:
                    self._print(stream, text)

    async def line(self, prompt: str, *, hidden: bool) -> str | None:
        """Show `prompt` and return the line that is typed, or None at the end of input (Ctrl-D)."""
        loop, readable = asyncio.get_running_loop(), asyncio.Event()
        modes = termios.tcgetattr(self._keyboard) if hidden else []
        if modes:
            silent = [*modes]
            silent[_LOCAL_FLAGS] &= ~termios.ECHO
            termios.tcsetattr(self._keyboard, termios.TCSAFLUSH, silent)  # drops what was typed before the question
        try:
            self._err.write(prompt)
            self._err.flush()
            loop.add_reader(self._keyboard, readable.set)
            await readable.wait()
            typed = os.read(self._keyboard, _LINE_BYTES).decode(errors="replace")
        except OSError:  # the terminal has been closed
            typed = ""
        finally:
            loop.remove_reader(self._keyboard)
            if modes:
                with suppress(termios.error):  # the terminal has been closed
                    termios.tcsetattr(self._keyboard, termios.TCSADRAIN, modes)
                self._err.write("\n")
                self._err.flush()
        return typed.rstrip("\r\n") if typed else None
