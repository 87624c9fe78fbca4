"""A connector that ends at any moment loses nothing that was kept of it, and endangers no login.

Killed, told to stop, or its output closed: at a request of its own, or when so many bytes of its output were
read. Then a sync goes on from what the platform has: the last configuration written back, the last states.
"""

from __future__ import annotations

import json
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from linkless_simulator import Simulator
from linkless_simulator.answers import Answer
from linkless_simulator.backend import Backend
from linkless_simulator.bills import Sizes
from testing.connector import STOP_SECONDS, catalog_json, fleet_at, together
from testing.destination import Destination, Rows
from testing.forked_connector import Ended, ForkedRun

LOGINS = [*(f"user_good+{number}" for number in range(4)), "instant+4", "link_expires+5"]
AT_ONCE = 6
SEED = int(os.environ.get("KILL_SEED", "7"))
"""Chooses the moments; `scripts/fuzz kills` sets another one."""
TERM, KILL, HANGUP = signal.SIGTERM, signal.SIGKILL, signal.SIGPIPE
CODES = {TERM: 128 + TERM, KILL: -KILL, HANGUP: 128 + HANGUP}
"""How a run ends. Nobody sends SIGPIPE here: it stands for a consumer that goes away."""
SAMPLE = {
    ("read", KILL, "request"): 14,
    ("read", TERM, "request"): 8,
    ("read", HANGUP, "request"): 5,
    ("read", KILL, "output"): 8,
    ("read", TERM, "output"): 8,
    ("read", HANGUP, "output"): 5,
    ("check", KILL, "request"): 5,
    ("check", TERM, "request"): 5,
    ("check", HANGUP, "request"): 2,
}
"""How many runs of which command are ended how, at a request or at a byte of the output."""
IN_THE_PIPE = 8_000  # bytes that are written ahead of their reader, and by which the logs of two runs differ
REQUESTS_OF_CHECK = 7  # keys, link token, connect, exchange, and at least three looks


@dataclass(frozen=True)
class Moment:
    """How and when a run ends; `carried_out`: at a request that the provider has carried out by then.

    `is_lost`: the destination fails as well and keeps of each stream only what came before its last state.
    """

    command: str
    end: signal.Signals
    request: int = 0
    output: int = 0
    carried_out: bool = False
    is_lost: bool = False

    def strike(self, run: ForkedRun) -> None:
        """End the run."""
        if self.end is HANGUP:
            run.hang_up()
        else:
            run.kill(self.end)


class DeadlyBackend(Backend):
    """A provider during whose answer to one request the connector is ended."""

    def __init__(self, moment: Moment) -> None:
        super().__init__(sizes=Sizes(accounts=1, statements=4, charges=2))
        self.victim: Future[ForkedRun] = Future()
        self.is_struck = threading.Event()
        self._moment, self._requests, self._counting = moment, 0, threading.Lock()

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer; the end comes before or after what the request asks for is done."""
        with self._counting:
            self._requests += 1
            is_last = self._requests == self._moment.request
        if not is_last:
            return super().answer(method, path, headers, body)
        answer = super().answer(method, path, headers, body) if self._moment.carried_out else Answer(0, dropped=True)
        self._moment.strike(self.victim.result())
        self.is_struck.set()
        return answer


def fleet(simulator: Simulator) -> dict[str, Any]:
    """Return the configuration of a few logins that are linked and waited for."""
    return fleet_at(simulator, *({"username": name} for name in LOGINS))


def kept(messages: list[dict[str, Any]], config: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration that the platform has after a run: the last one written back."""
    written = [message["control"]["connectorConfig"]["config"] for message in messages if message["type"] == "CONTROL"]
    return dict([config, *written][-1])


def logins_with_token(config: Mapping[str, Any]) -> set[str]:
    """Return the logins whose token a configuration holds."""
    links = json.loads(config.get("links", "{}")).get("connections", {})
    return {key for key, link in links.items() if "access_token" in link}


def submissions(simulator: Simulator) -> Counter[str]:
    """Return how often each login reached its utility."""
    return Counter({name: simulator.backend.submissions(name) for name in LOGINS})


def newest_connections(simulator: Simulator) -> dict[str, str | None]:
    """Return the identifier of the newest connection of each login."""
    return {name: simulator.backend.connection_id(name) for name in LOGINS}


def of_connections(rows: Rows, newest: Mapping[str, str | None]) -> Rows:
    """Write "newest" in place of the identifier of each login's connection, which differs from run to run.

    A row without an identifier, or with that of another connection, stays as it is.
    """

    def row_of(key: tuple[str, ...], row: dict[str, Any]) -> dict[str, Any]:
        is_newest = row.get("connection_id") == newest[key[0]]
        return row | {"connection_id": "newest"} if is_newest else row

    return {stream: {key: row_of(key, row) for key, row in found.items()} for stream, found in rows.items()}


@dataclass(frozen=True)
class Story:
    """What happened around one end."""

    moment: Moment
    first: Ended
    seconds: float
    """From the end of the consumer or the signal to the end of the process."""
    states: int
    remembered: frozenset[str]
    submitted_before: Counter[str]
    submitted: Counter[str]
    second: Ended
    rows: Rows


def story(folder: Path, moment: Moment) -> Story:
    """End a first run at a moment and let a sync go on from what was kept of it."""
    with Simulator(DeadlyBackend(moment)) as simulator:
        config, destination = fleet(simulator), Destination()
        first, seconds = ended_early(simulator, folder / "first", config, moment)
        config = kept(first.messages, config)
        destination.take(first.messages, loses_uncommitted=moment.is_lost)
        states, before = destination.states, submissions(simulator)
        second = ForkedRun(folder / "second", "read", config, catalog_json(), states).ended()
        destination.take(second.messages)
        remembered, after = frozenset(logins_with_token(config)), submissions(simulator)
        rows = of_connections(destination.current, newest_connections(simulator))
    return Story(moment, first, seconds, len(states), remembered, before, after, second, rows)


def ended_early(simulator: Simulator, folder: Path, config: dict[str, Any], moment: Moment) -> tuple[Ended, float]:
    """Start a run and end it; return how it ended and how long that took."""
    run = ForkedRun(folder, moment.command, config, catalog_json() if moment.command == "read" else None)
    assert isinstance(simulator.backend, DeadlyBackend)
    simulator.backend.victim.set_result(run)
    if moment.output:
        run.take(moment.output)
        moment.strike(run)
    elif moment.end is HANGUP:  # nobody reads until then, as a pipe ends only when no read is under way
        assert simulator.backend.is_struck.wait(60)
    started = monotonic()
    return run.ended(), monotonic() - started


@dataclass(frozen=True)
class Undisturbed:
    """A run that nobody ends."""

    requests: int
    output: int
    states: int
    """The byte at which the states begin."""
    rows: Rows


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """Read the fleet to its end."""
    destination = Destination()
    with Simulator(DeadlyBackend(Moment("read", KILL))) as simulator:
        run = ForkedRun(tmp_path_factory.mktemp("whole") / "run", "read", fleet(simulator), catalog_json()).ended()
        requests = len(simulator.backend.journal)
        destination.take(run.messages)
        rows = of_connections(destination.current, newest_connections(simulator))
    assert run.code == 0
    assert len(rows["statements"]) == 4 * len(LOGINS)
    with_connection = {name for name in rows for row in rows[name].values() if row.get("connection_id") == "newest"}
    assert with_connection == {"connections", "sustainability", "accounts"}
    return Undisturbed(requests, len(run.output), run.output.index(b'"type":"STATE"'), rows)


def moments(undisturbed: Undisturbed) -> Iterator[Moment]:
    """Choose a random sample, the same one each time; one in three ends among the states at the end of the output."""
    chance = random.Random(SEED)  # noqa: S311 - a sample, not cryptography
    requests = {"read": undisturbed.requests * 9 // 10, "check": REQUESTS_OF_CHECK}  # looks differ a little
    for (command, end, kind), times in SAMPLE.items():
        for number in range(times):
            half, is_lost = chance.random() < 0.5, chance.random() < 0.5
            if kind == "request":
                yield Moment(command, end, chance.randint(1, requests[command]), carried_out=half, is_lost=is_lost)
            else:
                first = undisturbed.states if number % 3 == 0 else 1
                last = undisturbed.output - IN_THE_PIPE
                yield Moment(command, end, output=chance.randint(first, last), is_lost=is_lost)


@pytest.fixture(scope="module")
def stories(undisturbed: Undisturbed, tmp_path_factory: pytest.TempPathFactory) -> list[Story]:
    """End the connector at all moments of the sample, each in a world of its own, several at once."""
    chosen = list(moments(undisturbed))
    folders = [tmp_path_factory.mktemp("story") for _ in chosen]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(story, folders, chosen))


def test_the_ends_hit_every_part_of_a_run(stories: list[Story]) -> None:
    """Nothing submitted, submissions whose token is lost, all tokens kept; no state, and some."""
    assert [(one.moment, one.first.code) for one in stories if one.first.code not in codes_of(one.moment)] == []
    read = [one for one in stories if one.moment.command == "read"]
    parts = {(any(one.submitted_before.values()), len(one.remembered) == len(LOGINS)) for one in read}
    assert parts == {(False, False), (True, False), (True, True)}
    assert any(one.submitted_before.total() > len(one.remembered) for one in read)
    assert {one.states > 0 for one in read if one.moment.end is KILL} == {False, True}


def codes_of(moment: Moment) -> set[int]:
    """Return how a run may end; told to stop while it writes its last lines, it may have come to its own end."""
    return {CODES[moment.end]} | ({0} if moment.end is TERM and moment.output else set())


def test_only_a_kill_tears_a_line(stories: list[Story]) -> None:
    """A run that is told to stop ends with a whole line; of one that is killed only the last line can be cut."""
    stopped = [one for one in stories if one.moment.end is TERM]
    assert [one.moment for one in stopped if one.first.ends_in_a_line] == []
    assert [one.moment for one in stories if one.moment.end is not TERM and not whole_before_the_cut(one.first)] == []


def whole_before_the_cut(run: Ended) -> bool:
    """Tell whether every line before the last one is a message."""
    return all("type" in message for message in run.messages)


def test_a_run_ends_soon_and_without_noise(stories: list[Story]) -> None:
    """Told to stop or left alone, it ends by itself, in time for `docker stop`, and prints nothing on stderr."""
    ended_by_itself = [one for one in stories if one.moment.end is not KILL]
    assert [(one.moment, one.seconds) for one in ended_by_itself if one.seconds > STOP_SECONDS] == []
    assert [one.first.errors for one in stories if one.first.errors] == []


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
    """The worst that an end costs a login is one more submission."""
    assert [(one.moment, name) for one in stories for name, times in one.submitted.items() if times > 2] == []


def test_the_destination_is_complete_and_has_no_duplicates(stories: list[Story], undisturbed: Undisturbed) -> None:
    """After the next run every row is there, every column as without the end, and no row besides."""
    assert [one.moment for one in stories if one.second.code != 0] == []
    assert [one.moment for one in stories if one.rows != undisturbed.rows] == []


@pytest.mark.parametrize("command", ["read", "check"])
def test_nothing_is_submitted_when_nobody_can_keep_the_links(tmp_path: Path, command: str) -> None:
    """A consumer that is gone before the logins are announced costs none of them a submission."""
    moment = Moment(command, HANGUP, request=1, carried_out=True)
    with Simulator(DeadlyBackend(moment)) as simulator:
        first, _ = ended_early(simulator, tmp_path / "first", fleet(simulator), moment)
        assert (first.code, simulator.backend.count("/link/connect")) == (CODES[HANGUP], 0)


def test_two_syncs_at_once_both_end_well(tmp_path: Path, undisturbed: Undisturbed) -> None:
    """Of the same configuration: each login is submitted by either, no more, and one destination is complete."""
    destination = Destination()
    with Simulator(DeadlyBackend(Moment("read", KILL))) as simulator:
        config = fleet(simulator)
        runs = [ForkedRun(tmp_path / name, "read", config, catalog_json()) for name in ("one", "other")]
        ends = together(*(run.ended for run in runs))
        submitted = submissions(simulator)
    for end in ends:
        destination.take(end.messages)
    written = [one["control"]["connectorConfig"]["config"] for one in ends[1].messages if one["type"] == "CONTROL"]
    links = json.loads(written[-1]["links"])["connections"]  # of the run whose rows are loaded last
    rows = of_connections(destination.current, {key: link["connection_id"] for key, link in links.items()})
    assert [end.code for end in ends] == [0, 0]
    assert max(submitted.values()) == 2
    assert rows == undisturbed.rows
