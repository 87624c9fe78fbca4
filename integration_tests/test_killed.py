"""A connector that is killed at any moment loses nothing that it wrote back, and endangers no login."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from integration_tests.connector import catalog_json, fleet_at
from integration_tests.forked_connector import ForkedRead
from linkless_simulator import Simulator
from linkless_simulator.answers import Answer
from linkless_simulator.backend import Backend
from linkless_simulator.bills import Sizes

LOGINS = [*(f"user_good+{number}" for number in range(6)), "instant+6", "link_expires+7"]
KILLS = 50
AT_ONCE = 6
CONNECTOR_KILLED = -signal.SIGKILL


@dataclass(frozen=True)
class Moment:
    """When to kill: at which request, and whether the provider has carried it out by then."""

    request: int
    carried_out: bool


class DeadlyBackend(Backend):
    """A provider during whose answer to one request the connector dies."""

    def __init__(self, moment: Moment) -> None:
        super().__init__(sizes=Sizes(accounts=1, statements=2, charges=1))
        self.victim: Future[int] = Future()
        self._moment, self._requests, self._counting = moment, 0, threading.Lock()

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer; the killing comes before or after what the request asks for is done."""
        with self._counting:
            self._requests += 1
            is_last = self._requests == self._moment.request
        if not is_last:
            return super().answer(method, path, headers, body)
        answer = super().answer(method, path, headers, body) if self._moment.carried_out else Answer(0, dropped=True)
        os.kill(self.victim.result(), signal.SIGKILL)
        return answer


NEVER = Moment(0, carried_out=True)


def sync(simulator: Simulator, folder: Path, config: Mapping[str, Any]) -> tuple[int, list[dict[str, Any]]]:
    """Run a whole read, or as much of it as the provider lets happen."""
    read = ForkedRead(folder, config, catalog_json())
    assert isinstance(simulator.backend, DeadlyBackend)
    if not simulator.backend.victim.done():
        simulator.backend.victim.set_result(read.pid)
    return read.ended()


def fleet(simulator: Simulator) -> dict[str, Any]:
    """Return the configuration of a few logins that are linked and waited for."""
    return fleet_at(simulator, *({"username": name} for name in LOGINS))


def rows(messages: list[dict[str, Any]]) -> Counter[tuple[str, str]]:
    """Count the records of each stream and login."""
    records = [message["record"] for message in messages if message["type"] == "RECORD"]
    return Counter((record["stream"], record["data"]["connection_key"]) for record in records)


def kept(messages: list[dict[str, Any]], config: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration that the platform has after a run: the last one written back."""
    written = [message["control"]["connectorConfig"]["config"] for message in messages if message["type"] == "CONTROL"]
    return dict([config, *written][-1])


def logins_with_token(config: Mapping[str, Any]) -> set[str]:
    """Return the logins whose token a configuration holds."""
    links = json.loads(config.get("links", "{}")).get("connections", {})
    return {key for key, link in links.items() if "access_token" in link}


@dataclass(frozen=True)
class Story:
    """What happened around one kill."""

    moment: Moment
    code: int
    remembered: frozenset[str]
    submitted_before: Mapping[str, int]
    submitted: Mapping[str, int]
    second_code: int
    second_rows: Counter[tuple[str, str]]


def story(folder: Path, moment: Moment) -> Story:
    """Kill a first run at a moment and let a second one go on from what was written back."""
    with Simulator(DeadlyBackend(moment)) as simulator:
        config = fleet(simulator)
        code, messages = sync(simulator, folder / "killed", config)
        config = kept(messages, config)
        before = {name: simulator.backend.submissions(name) for name in LOGINS}
        second_code, second = sync(simulator, folder / "second", config)
        after = {name: simulator.backend.submissions(name) for name in LOGINS}
    remembered = frozenset(logins_with_token(config))
    return Story(moment, code, remembered, before, after, second_code, rows(second))


@dataclass(frozen=True)
class Undisturbed:
    """A run that nobody kills."""

    requests: int
    rows: Counter[tuple[str, str]]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """Read the fleet to its end."""
    with Simulator(DeadlyBackend(NEVER)) as simulator:
        code, messages = sync(simulator, tmp_path_factory.mktemp("undisturbed") / "run", fleet(simulator))
        requests = len(simulator.backend.journal)
    assert code == 0
    return Undisturbed(requests, rows(messages))


@pytest.fixture(scope="module")
def stories(undisturbed: Undisturbed, tmp_path_factory: pytest.TempPathFactory) -> list[Story]:
    """Kill the connector at fifty moments, each in a world of its own, several at once."""
    chance = random.Random(4)  # noqa: S311 - a sample, not cryptography
    last = undisturbed.requests * 9 // 10  # the number of looks differs a little from run to run
    moments = [Moment(chance.randint(1, last), carried_out=chance.random() < 0.5) for _ in range(KILLS)]
    folders = [tmp_path_factory.mktemp("story") for _ in moments]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(story, folders, moments))


def test_the_kills_hit_every_part_of_a_run(stories: list[Story]) -> None:
    """Some runs die with nothing submitted, some with submissions whose token is lost, some with all tokens kept."""
    assert {one.code for one in stories} == {CONNECTOR_KILLED}
    parts = {(any(one.submitted_before.values()), len(one.remembered) == len(LOGINS)) for one in stories}
    assert parts == {(False, False), (True, False), (True, True)}
    assert any(sum(one.submitted_before.values()) > len(one.remembered) for one in stories)


def test_a_login_whose_token_was_written_is_never_submitted_again(stories: list[Story]) -> None:
    """What the platform keeps is enough to go on without the utility."""
    again = [
        (one.moment, name)
        for one in stories
        for name in one.remembered
        if one.submitted[name] != one.submitted_before[name]
    ]
    assert again == []


def test_no_login_is_submitted_more_than_twice(stories: list[Story]) -> None:
    """The worst that a kill costs a login is one more submission."""
    assert [(one.moment, name) for one in stories for name, times in one.submitted.items() if times > 2] == []


def test_the_next_run_is_complete(stories: list[Story], undisturbed: Undisturbed) -> None:
    """The run after a kill delivers every row that one without a kill delivers."""
    incomplete = [one.moment for one in stories if (one.second_code, one.second_rows) != (0, undisturbed.rows)]
    assert incomplete == []
