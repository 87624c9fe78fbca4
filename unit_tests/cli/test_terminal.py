"""What a person is asked, and what counts as an answer."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Coroutine
from typing import Any, TextIO, TypeVar

import pytest

from source_linkless.cli.commands import sources_table
from source_linkless.cli.terminal import COLUMNS, Terminal, printable, wrapped
from source_linkless.config import Login
from source_linkless.provider.api import Account
from testing.jumping_loop import in_jumping_time

LOGIN = Login("hq", "7d9f0c52-6f0e-4c7b-9a55-1f0f6a3b2c01", "ann", "pass_old")
ACCOUNTS = [Account("id-1", "100", "1 Main Street"), Account("id-2", "200"), Account("id-3", "300")]

T = TypeVar("T")


class Typist(Terminal):
    """A person whose lines are typed beforehand, each after `seconds`; None is Ctrl-D."""

    def __init__(self, shown: TextIO, lines: list[str | None], seconds: float) -> None:
        """Type these lines; what is asked is shown."""
        super().__init__(io.StringIO(), shown)
        self.shown, self.lines, self.seconds = shown, lines, seconds
        self.prompts: list[tuple[str, bool]] = []

    async def line(self, prompt: str, *, hidden: bool) -> str | None:
        """Return the next line."""
        self.prompts.append((prompt, hidden))
        self.shown.write(f"{prompt}\n")
        await asyncio.sleep(self.seconds)
        return self.lines.pop(0)


class Desk:
    """A person, and what they see."""

    def __init__(self, *lines: str | None, seconds: float = 0.0) -> None:
        """Make the terminal and the person, who types these lines."""
        self.shown = io.StringIO()
        self.person = Typist(self.shown, list(lines), seconds)

    def run(self, asking: Coroutine[Any, Any, T]) -> T:
        """Run a question to its answer, in virtual time."""
        return in_jumping_time(asking)


@pytest.mark.parametrize(("typed", "answer"), [(" 001234 ", "001234"), ("", None), ("  ", None), (None, None)])
def test_an_answer_is_the_line_without_its_margins(typed: str | None, answer: str | None) -> None:
    """Leading zeros stay; nothing at all gives up."""
    at = Desk(typed)
    assert at.run(at.person.answer(LOGIN, "The code?", 300)) == answer
    assert at.person.prompts == [("Answer within 5:00 (not shown; Enter alone gives up): ", True)]


def test_a_question_steers_no_terminal_and_fits() -> None:
    """Control characters of the provider become spaces; long questions are wrapped."""
    at = Desk("1")
    at.run(at.person.answer(LOGIN, "\x1b[2JType it " * 20, 61, is_repeated=True))
    assert at.person.prompts[0][0].startswith("Answer within 1:01")
    assert "\x1b" not in at.shown.getvalue()
    assert max(map(len, at.shown.getvalue().splitlines())) <= COLUMNS
    assert "hq: that answer was not accepted; one more try" in at.shown.getvalue()


@pytest.mark.parametrize(
    ("typed", "chosen"),
    [
        (["all"], ["id-1", "id-2", "id-3"]),
        (["3, 1"], ["id-1", "id-3"]),
        (["0", "4", "x", "1 x", "2"], ["id-2"]),
        ([""], None),
    ],
)
def test_accounts_are_chosen_by_number(typed: list[str | None], chosen: list[str] | None) -> None:
    """What makes no sense is asked again, and half of it is never taken."""
    at = Desk(*typed)
    assert at.run(at.person.choose(LOGIN, ACCOUNTS, 300)) == chosen
    assert at.person.lines == []
    assert "   1  100  1 Main Street\n   2  200\n" in at.shown.getvalue()


def test_of_many_accounts_the_first_are_shown() -> None:
    """A login may have hundreds; `all` takes every one of them."""
    many = [Account(f"id-{number}", str(number)) for number in range(1000)]
    at = Desk("all")
    assert len(at.run(at.person.choose(LOGIN, many, 300)) or ()) == 1000
    assert "  ... and 960 more\n" in at.shown.getvalue()


def test_a_new_password_is_kept_for_the_file() -> None:
    """As it was typed, spaces included; impossible ones are asked for again."""
    at = Desk("   ", "*****", " new ")
    corrected = at.run(at.person.correct(LOGIN))
    assert (corrected and corrected.password, at.person.passwords) == (" new ", {"hq": " new "})
    assert [hidden for _, hidden in at.person.prompts] == [True] * 3
    assert " new " not in at.shown.getvalue().partition("gives up")[2].replace("cannot be", "")


def test_the_refused_password_is_not_taken_again() -> None:
    """A message says that it is the same password, and nothing is sent."""
    at = Desk("pass_old")
    assert (at.run(at.person.correct(LOGIN)), at.person.passwords) == (None, {})
    assert "that is the password that was refused" in at.shown.getvalue()


@pytest.mark.parametrize("login", [LOGIN, Login("hq", fields={"pin": "1"})])
def test_a_password_stays_when_none_is_typed(login: Login) -> None:
    """Enter alone leaves the login; one with fields of its own is corrected in the configuration."""
    at = Desk("")
    assert (at.run(at.person.correct(login)), at.person.passwords) == (None, {})


def test_a_missing_password_is_asked_for() -> None:
    """Before anything else."""
    at = Desk("pass_good")
    assert at.run(at.person.new_password("hq has no password in the configuration.")) == "pass_good"


@pytest.mark.parametrize(("typed", "confirmed"), [("hq", True), ("HQ", False), ("", False), (None, False)])
def test_a_confirmation_is_the_key_itself(typed: str | None, *, confirmed: bool) -> None:
    """Anything else is a no."""
    at = Desk(typed)
    assert at.run(at.person.confirm("Really?", "hq")) is confirmed


def test_questions_wait_for_one_another_and_news_wait_for_both() -> None:
    """Two logins never ask at the same time, and no line breaks into a question."""
    at = Desk("1", "2", seconds=10.0)

    async def both() -> list[str | None]:
        first = asyncio.create_task(at.person.answer(LOGIN, "First?", 300))
        second = asyncio.create_task(at.person.answer(LOGIN, "Second?", 300))
        await asyncio.sleep(5)
        at.person.note("news")
        return [await first, await second]

    assert at.run(both()) == ["1", "2"]
    assert [prompt for prompt, _ in at.person.prompts][1].startswith("Answer within 4:50")
    lines = at.shown.getvalue().splitlines()
    assert lines.index("news") == lines.index("  First?") + 2


def test_a_choice_at_a_terminal_that_was_closed_is_none() -> None:
    """It is like an empty answer, not an error."""
    master, terminal = os.openpty()
    os.close(master)
    with open(terminal, "rb"):  # noqa: PTH123 - it has no path any more; closes it
        person = Terminal(io.StringIO(), io.StringIO(), terminal)
        assert asyncio.run(person.choose(LOGIN, ACCOUNTS, 300)) is None


def test_texts_are_made_fit_to_be_seen() -> None:
    """Control characters and line lengths."""
    assert printable("a\x1b[1m\nb\u202e") == "a [1m b "
    assert wrapped("word " * 40, "  ").splitlines()[1].startswith("  word")


@pytest.mark.parametrize("length", range(20, 60))
def test_a_table_shows_every_character_of_a_cell_that_is_folded(length: int) -> None:
    """Long words are folded within 80 columns, in the last column too, and the ID stays in one piece."""
    uuid, word = "7d9f0c52-6f0e-4c7b-9a55-1f0f6a3b2c01", "".join(chr(ord("a") + at % 26) for at in range(length))
    source = {"source_id": uuid, "country": "US", "name": "N", "website": f"https://abc {word}"}
    shown = sources_table([source])
    assert "".join(line[len(uuid) + 2 :].removeprefix("US").replace(" ", "") for line in shown.splitlines()[2:]) == (
        f"https://abc{word}"
    )
    assert (uuid in shown, max(map(len, shown.splitlines())) <= COLUMNS) == (True, True)
