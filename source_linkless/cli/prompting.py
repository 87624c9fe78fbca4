"""A person at a terminal: the questions of several logins, one after the other.

Reading a line is a wait of the event loop like any other: it can be cancelled at any moment, and the terminal is left
as it was. What is typed is not shown where it is a secret.
"""

from __future__ import annotations

import asyncio
import os
import sys
import termios
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Protocol, TextIO

from source_linkless.cli.screen import Screen, duration, wrapped
from source_linkless.concurrency import waiting
from source_linkless.config import Login, logins
from source_linkless.linking import by_hand
from source_linkless.provider import Account

_SHOWN = 40
_GIVE_UP = "Enter alone gives up"
_LINE_BYTES = 4096
_LOCAL_FLAGS = 3  # place of the local modes in what termios returns


class Keyboard(Protocol):
    """Where lines are typed: a `Terminal`."""

    async def ask(self, prompt: str, show: TextIO, *, hidden: bool) -> str | None:
        """Show a prompt and return the line that is typed, or None at the end."""


class PersonAtTerminal:
    """Answers what logins ask: the `Person` of linking. `passwords` holds new passwords by key, to be written."""

    def __init__(self, terminal: Keyboard, screen: Screen) -> None:
        """Ask at `terminal`, in the pauses of `screen`."""
        self._terminal, self._screen = terminal, screen
        self._turn = asyncio.Lock()
        self.passwords: dict[str, str] = {}

    async def answer(self, question: by_hand.Question) -> str | None:
        """Ask for a code or the answer to a security question."""
        asks = "that answer was not accepted; one more try" if question.is_repeated else "the utility asks"
        heading = [wrapped(f"{question.login.key}: {asks}", "  "), wrapped(f"  {question.text}", "  ")]
        return await self._ask(
            heading,
            lambda: f"Answer within {duration(question.ends - waiting.time())} (not shown; {_GIVE_UP}): ",
            hidden=True,
        )

    async def choose(self, login: Login, accounts: Sequence[Account], ends: float) -> Sequence[str] | None:
        """Ask which accounts to link."""
        shown = [_described(number, account) for number, account in enumerate(accounts[:_SHOWN], start=1)]
        more = [f"  ... and {len(accounts) - _SHOWN} more"] if len(accounts) > _SHOWN else []
        heading = [wrapped(f"{login.key}: which accounts should be linked?", "  "), *shown, *more]
        while True:
            typed = await self._ask(
                heading, lambda: f"Numbers such as 1,2 or all, within {duration(ends - waiting.time())}: "
            )
            if typed is None:
                return None
            chosen = _chosen(typed, accounts)
            if chosen:
                return chosen
            heading = [f"Please type numbers from 1 to {len(accounts)}, or all. {_GIVE_UP}."]

    async def correct(self, login: Login) -> Login | None:
        """Ask for another password after the utility has refused one."""
        if login.fields is not None:
            return None
        heading = [wrapped(f"{login.key}: the utility refused {login.username} or the password.")]
        typed = await self._new_password(heading)
        if typed == login.password:
            self._screen.note(wrapped(f"{login.key}: that is the password that was refused. It is not sent again."))
            return None
        if typed is None:
            return None
        self.passwords[login.key] = typed
        return replace(login, password=typed)

    async def missing_password(self, name: str) -> str | None:
        """Ask for a password that the configuration does not hold."""
        return await self._new_password([wrapped(f"{name} has no password in the configuration.")])

    async def confirm(self, heading: list[str], key: str) -> bool:
        """Ask for a key to be typed, as a confirmation."""
        return await self._ask(heading, lambda: "Type its key to go on: ") == key

    async def _new_password(self, heading: list[str]) -> str | None:
        while True:
            typed = await self._ask(heading, lambda: f"Password (not shown; {_GIVE_UP}): ", hidden=True, strip=False)
            if typed is None or (logins.is_whole(typed) and not logins.is_masked(typed) and typed.strip()):
                return typed
            heading = ["That cannot be a password."]

    async def _ask(
        self, heading: Sequence[str], prompt: Callable[[], str], *, hidden: bool = False, strip: bool = True
    ) -> str | None:
        """Ask when no other question is open; None for an empty line."""
        async with self._turn:
            with self._screen.paused() as show:
                show.write("\n".join([*heading, ""]))
                typed = await self._terminal.ask(prompt(), show, hidden=hidden)
        return (typed.strip() if strip and typed else typed) or None


def _described(number: int, account: Account) -> str:
    return wrapped(f"  {number:>2}  {account.number}  {account.address or ''}".rstrip(), "      ")


def _chosen(typed: str, accounts: Sequence[Account]) -> list[str]:
    """Return the ids of the accounts that were typed; none when that makes no sense."""
    if typed.lower() == "all":
        return [account.account_id for account in accounts]
    words = typed.replace(",", " ").split()
    numbers = {int(word) for word in words if word.isascii() and word.isdecimal()}
    if len({*words}) != len(numbers) or not numbers <= set(range(1, len(accounts) + 1)):
        return []
    return [accounts[number - 1].account_id for number in sorted(numbers)]


class Terminal:
    """A terminal to read from."""

    def __init__(self, descriptor: int) -> None:
        """Read from the terminal that is open as `descriptor`."""
        self._descriptor = descriptor

    @classmethod
    def of_process(cls) -> Terminal | None:
        """Return the terminal where questions can be seen and answered, or None when there is none."""
        if not sys.stderr.isatty():
            return None
        if sys.stdin.isatty():
            return cls(sys.stdin.fileno())
        try:  # standard input is taken, for example by --password-stdin
            return cls(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
        except OSError:
            return None

    async def ask(self, prompt: str, show: TextIO, *, hidden: bool) -> str | None:
        """Show `prompt` on `show` and return the line that is typed, or None at the end of input (Ctrl-D)."""
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
        termios.tcsetattr(self._descriptor, termios.TCSAFLUSH, silent)  # drops what was typed before the question
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
