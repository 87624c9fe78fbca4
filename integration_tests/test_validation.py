"""A mistake in the configuration: one clear sentence, no value of a secret, no request.

What each sentence says is tested with the configuration (unit tests); here the platform's door: the exit codes, the
messages, the silence on the network, for each kind of mistake.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from linkless_simulator import Simulator
from testing.connector import Connector, Run, edited, fleet_at, login_at, together

PASSWORD = "Pässwörd-of-nobody \"1' \\2\n3"
TOKEN = "access-sandbox-0f1e2d3c-nobody"
MASK = "**********"
LOGIN = {"username": "user_good", "password": PASSWORD}
SECRETS = (PASSWORD, TOKEN, "Pässwörd-of-nobody", "\\u00e4sswörd", "0f1e2d3c")


@dataclass(frozen=True, slots=True)
class Mistake:
    """A configuration with a mistake, and what its one sentence must name."""

    configuration: Callable[[Simulator], dict[str, Any]]
    names: tuple[str, ...]


def _login(changes: dict[str, Any], simulator: Simulator, **options: Any) -> dict[str, Any]:
    return edited(login_at(simulator, "user_good", **options), password=PASSWORD, **changes)


def _fleet(text: str, simulator: Simulator) -> dict[str, Any]:
    return edited(fleet_at(simulator), connections=text)


def _twins(simulator: Simulator) -> dict[str, Any]:
    return fleet_at(simulator, {"key": "hq", **LOGIN}, {"key": "hq", **LOGIN, "username": "user_good+2"})


MISTAKES = {
    "missing password": Mistake(lambda s: edited(login_at(s, "user_good"), password=None), ("connection.password",)),
    "missing secret": Mistake(partial(_login, {}, secret=""), ("(secret)",)),
    "bad date": Mistake(partial(_login, {}, start_date="31.12.2023"), ("start_date", "YYYY-MM-DD")),
    "unknown method": Mistake(partial(_login, {"method": "oauth"}), ("connection.method", "login, access_token")),
    "broken list": Mistake(
        partial(_fleet, f'[{{"key": "hq", "access_token": "{TOKEN}"'), ("connection.connections", "JSON")
    ),
    "same key twice": Mistake(_twins, ('entry 1 ("hq")', 'entry 2 ("hq")', "same key")),
    "asterisks for a token": Mistake(
        lambda s: fleet_at(s, {"key": "hq", "access_token": MASK}), ("access_token", 'entry 1 ("hq")', "asterisks")
    ),
    "asterisks for the links": Mistake(partial(_login, {}, links=MASK), ("links", "asterisks")),
    "links that are cut off": Mistake(
        partial(_login, {}, links=f'{{"salt": "s", "connections": {{"user_good": {{"access_token": "{TOKEN}"'),
        ("links", "nothing was submitted"),
    ),
}


ALSO_READ = ("missing password", "broken list", "links that are cut off")
"""Mistakes that a sync meets too: one of the form, one inside a list, one that only the links' reader finds."""


@pytest.fixture(scope="module")
def runs(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Run]:
    """Run check with every mistake and read with some, by command and mistake."""
    connector = Connector(tmp_path_factory.mktemp("mistakes"))
    configs = {name: mistake.configuration(simulator) for name, mistake in MISTAKES.items()}
    calls = {("check", name): partial(connector.check, config) for name, config in configs.items()}
    calls |= {("read", name): partial(connector.read, configs[name]) for name in ALSO_READ}
    return dict(zip(calls, together(*calls.values()), strict=True))


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_sentence_of_a_check(name: str, runs: dict[tuple[str, str], Run]) -> None:
    """FAILED with exit code 0: a sentence that names the field or the entry, and nothing written back."""
    run = runs["check", name]
    status, sentence = run.verdict
    assert (run.code, status) == (0, "FAILED")
    assert [part for part in MISTAKES[name].names if part not in sentence] == []
    assert "\n" not in sentence
    assert run.written == []


@pytest.mark.parametrize("name", ALSO_READ)
def test_a_mistake_ends_a_sync_in_the_same_words(name: str, runs: dict[tuple[str, str], Run]) -> None:
    """Exit code 1 with a config error, and not one record."""
    run = runs["read", name]
    _, sentence = runs["check", name].verdict
    assert run.code == 1
    assert {(error["failure_type"], error["message"]) for error in run.errors} == {("config_error", sentence)}
    assert (run.of("RECORD"), run.written) == ([], [])


def test_a_mistake_shows_no_secret(runs: dict[tuple[str, str], Run]) -> None:
    """Neither output of any of these runs quotes what was entered."""
    said = "".join(run.said for run in runs.values())
    assert [secret for secret in SECRETS if secret in said or repr(secret)[1:-1] in said] == []


def test_a_mistake_costs_no_request(simulator: Simulator, runs: dict[tuple[str, str], Run]) -> None:
    """Nothing is asked, let alone submitted, before the configuration is right."""
    assert len(runs) == len(MISTAKES) + len(ALSO_READ)
    assert simulator.backend.journal == []
