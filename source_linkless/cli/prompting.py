"""A person at a terminal: the questions of several logins, one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol, TextIO

from source_linkless.cli.screen import Screen
from source_linkless.cli.wording import duration, wrapped
from source_linkless.concurrency.waiting import time
from source_linkless.config import Login
from source_linkless.config.logins import is_masked, is_whole
from source_linkless.linking.asking import Question
from source_linkless.provider.api import Account

_SHOWN = 40
_GIVE_UP = "Enter alone gives up"


class Keyboard(Protocol):
    """Where lines are typed: a `terminal.Terminal`."""

    async def ask(self, prompt: str, show: TextIO, *, hidden: bool) -> str | None:
        """Show a prompt and return the line that is typed, or None at the end."""


class PersonAtTerminal:
    """Answers what logins ask (see `asking.Person`); `passwords` holds the new ones by key, to be written."""

    def __init__(self, terminal: Keyboard, screen: Screen) -> None:
        """Ask at `terminal`, in the pauses of `screen`."""
        self._terminal, self._screen = terminal, screen
        self._turn = asyncio.Lock()
        self.passwords: dict[str, str] = {}

    async def answer(self, question: Question) -> str | None:
        """Ask for a code or the answer to a security question."""
        asks = "that answer was not accepted; one more try" if question.is_repeated else "the utility asks"
        heading = [wrapped(f"{question.login.key}: {asks}", "  "), wrapped(f"  {question.text}", "  ")]
        return await self._ask(
            heading, lambda: f"Answer within {duration(question.ends - time())} (not shown; {_GIVE_UP}): ", hidden=True
        )

    async def choose(self, login: Login, accounts: Sequence[Account], ends: float) -> Sequence[str] | None:
        """Ask which accounts shall be linked."""
        shown = [_described(number, account) for number, account in enumerate(accounts[:_SHOWN], start=1)]
        more = [f"  ... and {len(accounts) - _SHOWN} more"] if len(accounts) > _SHOWN else []
        heading = [wrapped(f"{login.key}: which accounts shall be linked?", "  "), *shown, *more]
        while True:
            typed = await self._ask(heading, lambda: f"Numbers such as 1,2 or all, within {duration(ends - time())}: ")
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
            if typed is None or (is_whole(typed) and not is_masked(typed) and typed.strip()):
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
    numbers = {int(reason) for reason in words if reason.isascii() and reason.isdecimal()}
    if len({*words}) != len(numbers) or not numbers <= set(range(1, len(accounts) + 1)):
        return []
    return [accounts[number - 1].account_id for number in sorted(numbers)]
