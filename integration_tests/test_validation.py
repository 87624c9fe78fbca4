"""A mistake in the configuration: one clear sentence, no value of a secret, no request.

What each sentence says is tested with the configuration (unit tests); here the platform's door: the exit codes, the
messages, the silence on the network, for each kind of mistake.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from linkless_simulator import Simulator
from testing.connector import Connector, Run, catalog_json, edited, fleet_at, login_at, together
from testing.forked_connector import ForkedRun

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


def _twins(first: str, second: str, simulator: Simulator) -> dict[str, Any]:
    return fleet_at(simulator, {"key": first, **LOGIN}, {"key": second, **LOGIN, "username": "user_good+2"})


MISTAKES = {
    "missing password": Mistake(lambda s: edited(login_at(s, "user_good"), password=None), ("connection.password",)),
    "missing secret": Mistake(partial(_login, {}, secret=""), ("(secret)",)),
    "bad date": Mistake(partial(_login, {}, start_date="31.12.2023"), ("start_date", "YYYY-MM-DD")),
    "unknown method": Mistake(partial(_login, {"method": "oauth"}), ("connection.method", "login, access_token")),
    "broken list": Mistake(
        partial(_fleet, f'[{{"key": "hq", "access_token": "{TOKEN}"'), ("connection.connections", "JSON")
    ),
    "same key twice": Mistake(partial(_twins, "hq", "hq"), ('entry 1 ("hq")', 'entry 2 ("hq")', "same key")),
    **{
        f"keys {first} and {second}": Mistake(
            partial(_twins, first, second), (f'entry 1 ("{first}")', f'entry 2 ("{second}")', "differ in case only")
        )
        for first, second in (("HQ", "hq"), ("Plant-2", "plant-2"), ("ÉCOLE", "école"), ("straße", "STRASSE"))
    },
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


def test_an_option_that_nobody_reads_is_one_warning(simulator: Simulator, tmp_path: Path) -> None:
    """In check and in read, with the nearest known name and without its value."""
    config = edited(login_at(simulator, "instant+unknown", **{"start-date": "not shown"}), passwrod="not shown either")
    checked = ForkedRun(tmp_path / "check", "check", config).ended()
    read = ForkedRun(tmp_path / "read", "read", config, catalog_json(["connections"])).ended()
    for run in (checked, read):
        warnings = [one["log"]["message"] for one in run.messages if one.get("log", {}).get("level") == "WARN"]
        (told,) = [line for line in warnings if "options" in line]
        assert told.endswith(
            '"start-date" (did you mean "start_date"?), "passwrod" in connection (did you mean "password"?).'
        )
        said = [one for one in run.messages if one["type"] != "CONTROL"]
        assert "not shown" not in json.dumps(said)


UNUSUAL = {
    "large": 2**80,
    "negative": -(2**70),
    "half": "half a character \ud83d",
    "deep": json.loads("[" * 300 + "]" * 300),
}
"""Values that JSON can spell and orjson refuses."""


@pytest.mark.parametrize("name", UNUSUAL)
def test_an_unusual_value_of_an_unknown_option_is_written_back_as_it_was(
    simulator: Simulator, tmp_path: Path, name: str
) -> None:
    """A check and a sync write the whole configuration back, whatever stands in it."""
    config = login_at(simulator, f"instant+{name}", note=UNUSUAL[name])
    for command, catalog in (("check", None), ("read", catalog_json(["connections"]))):
        run = ForkedRun(tmp_path / command, command, config | {"links": "{}"}, catalog).ended()
        written = [one["control"]["connectorConfig"]["config"] for one in run.messages if one["type"] == "CONTROL"]
        assert run.code == 0
        assert [one["note"] for one in written] == [UNUSUAL[name]] * len(written)
        assert written
