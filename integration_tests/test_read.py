"""A whole sync: what it asks, the order of what it says, how it goes on from the last one, and how it waits."""

from __future__ import annotations

import json
import logging
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from airbyte_cdk.models import (
    AirbyteStateBlob,
    AirbyteStateMessage,
    AirbyteStateType,
    AirbyteStreamState,
    FailureType,
    StreamDescriptor,
    SyncMode,
    Type,
)
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from jsonschema import Draft7Validator

from linkless_simulator import Simulator
from linkless_simulator.situations import EXTRACTING, READY
from linkless_simulator.stages import Seconds, Stage
from linkless_simulator.story import Story
from source_linkless.linking.events import FEW_LOGINS
from source_linkless.streams import catalog_streams
from testing.connector import Connector, Run, catalog_json, fleet_at, login_at, together
from testing.worlds import ALL_STREAMS, Sync, World, catalog_of

PRODUCT = "/sustainability/get"
LINE_SEPARATOR = "\u2028"
NEXT_LINE = "\u0085"


@pytest.fixture
def connector(tmp_path: Path) -> Connector:
    """Return the connector as a process."""
    return Connector(tmp_path)


# Whole processes


def positions(run: Run, kind: str, stream: str) -> list[int]:
    """Return where messages of a type and a stream stand in the output."""
    where = {"RECORD": lambda one: one["stream"], "STATE": lambda one: one["stream"]["stream_descriptor"]["name"]}
    content = {"RECORD": "record", "STATE": "state"}[kind]
    return [
        number
        for number, message in enumerate(run.messages)
        if message["type"] == kind and where[kind](message[content]) == stream
    ]


def test_a_second_sync_goes_on_with_token_and_state(simulator: Simulator, connector: Connector) -> None:
    """No call of `/link/` and no row of a bill the second time; the health of the connection is told again."""
    first = connector.read(login_at(simulator, "user_good+twice"))
    assert (first.code, len(first.rows("statements")) > 0) == (0, True)
    before = len(simulator.backend.journal)
    second = connector.read(first.written[-1], state=first.states)
    assert second.code == 0
    assert [entry.path for entry in simulator.backend.journal[before:]] == [
        "/test/api_keys",
        "/connection/context",
        PRODUCT,
    ]
    assert second.written == []
    assert {stream: len(second.rows(stream)) for stream in ALL_STREAMS} == {
        stream: int(stream == "connections") for stream in ALL_STREAMS
    }
    assert {stream: second.statuses(stream) for stream in ("statements", "connections")} == {
        "statements": ["STARTED", "COMPLETE"],
        "connections": ["STARTED", "RUNNING", "COMPLETE"],
    }


def test_messages_come_in_order_and_records_may_hold_any_character(simulator: Simulator, connector: Connector) -> None:
    """STARTED, RUNNING, records, their state, COMPLETE; a line separator inside a text ends no line."""
    name = "instant+characters"
    document = simulator.backend.document(name)
    text = f"one{LINE_SEPARATOR}two{NEXT_LINE}three\nfour"
    document["accounts"][0]["statements"][0]["charges"] = [{"charge_name": text, "amount": 1.5, "currency_code": "USD"}]
    simulator.backend.deliver(name, document)
    run = connector.read(login_at(simulator, name))
    assert run.code == 0
    assert text in {row.get("charge_name") for row in run.rows("charges")}
    for stream in ALL_STREAMS:
        assert run.statuses(stream) == ["STARTED", "RUNNING", "COMPLETE"]
        assert positions(run, "RECORD", stream)[-1] < positions(run, "STATE", stream)[-1]
        sent = sum(state["sourceStats"]["recordCount"] for state in run.of("STATE") if _name(state) == stream)
        assert sent == len(run.rows(stream))


def _name(state: dict[str, Any]) -> str:
    return str(state["stream"]["stream_descriptor"]["name"])


def test_what_cannot_work_fails_with_one_clear_error(simulator: Simulator, connector: Connector) -> None:
    """A stream that does not exist is named before anything is asked; so is a provider that is not there."""
    catalog = catalog_json()
    catalog["streams"][0]["stream"]["name"] = "water_meters"
    before = len(simulator.backend.journal)
    unknown, down = together(
        lambda: connector.read(login_at(simulator, "user_good"), catalog=catalog),
        lambda: connector.read(
            fleet_at(simulator, {"username": "a+1"}, {"username": "a+2"}, api_url="http://127.0.0.1:9")
        ),
    )
    assert len(simulator.backend.journal) == before
    assert unknown.code == 1
    assert [(error["failure_type"], error["message"]) for error in unknown.errors] == [
        ("config_error", "The catalog asks for the stream 'water_meters', which does not exist.")
    ]
    assert down.code == 1
    (error,) = down.errors
    assert error["failure_type"] == "transient_error"
    assert error["message"].split("\n")[1].startswith("a+1, a+2: UNREACHABLE. The provider does not answer properly.")
    assert [row["status"] for row in down.rows("connections")] == ["failed", "failed"]


# One process, virtual time


def by_the_clock(seconds: float) -> Story:
    """Return the story of a connection whose data is there after some time."""
    return Story("By the clock", (Stage(EXTRACTING, Seconds(seconds)), Stage(READY)))


def test_a_product_that_is_not_ready_is_waited_for() -> None:
    """An hour without data is no error: the data arrives, and the row says how long it took."""
    world = World()
    token = world.backend.link("late", by_the_clock(3_000))
    existing = {"method": "access_token", "access_token": token, "key": "late"}
    sync = world.read(world.config(connection=existing))
    assert sync.row("late")["status"] == "ready"
    assert sync.rows("statements")
    assert 3_000 <= sync.row("late")["waited_seconds"] <= 3_000 * 1.2


def test_a_product_that_is_never_ready_costs_only_itself() -> None:
    """Past the deadline: a row `pending`, a transient error, and the other logins' data whole."""
    world = World()
    alone = world.read(world.fleet(["instant"]))
    both = world.read(world.fleet(["instant", "never_ready"], failed_connections="fail"))
    assert (both.row("never_ready")["status"], both.row("never_ready")["reason"]) == ("pending", "PRODUCT_NOT_READY")
    assert both.failure_type is FailureType.transient_error
    assert len(both.rows("charges")) == len(alone.rows("charges")) > 0
    assert set(_connections_in(both)) == {"instant"}


def _connections_in(sync: Sync) -> dict[str, Any]:
    (state,) = [one.stream for one in sync.states if one.stream and one.stream.stream_descriptor.name == "statements"]
    assert state.stream_state is not None
    known: dict[str, Any] = state.stream_state.__dict__["connections"]
    return known


def test_a_sync_that_failed_is_gone_on_with() -> None:
    """What was sent before a failure is not sent again, and what was missing comes."""
    world = World()
    first = world.read(world.fleet(["instant", "slow"], failed_connections="fail", data_timeout_minutes=0.2))
    assert first.failure_type is FailureType.transient_error
    assert first.config is not None
    world.pass_time(60)
    second = world.read({**first.config, "data_timeout_minutes": 5}, state=first.states)
    assert second.error is None
    assert {row["connection_key"] for row in first.rows("statements")} == {"instant"}
    assert {row["connection_key"] for row in second.rows("statements")} == {"slow"}
    assert world.count("/link/connect") == 2


def test_a_long_wait_keeps_the_heartbeat_and_few_log_lines(caplog: pytest.LogCaptureFixture) -> None:
    """An hour of waiting: a state of every stream every five minutes, one line with counts a minute, none per look."""
    world = World()
    config = world.fleet([f"never_ready+{number}" for number in range(3)])
    states: list[tuple[float, str]] = []
    messages = world.source().read(logging.getLogger("airbyte"), config, catalog_of(), [])
    with pytest.raises(Exception, match="never_ready"):
        states.extend(
            (world.seconds(), message.state.stream.stream_descriptor.name)
            for message in messages
            if message.type is Type.STATE and message.state and message.state.stream
        )
    for stream in ALL_STREAMS:
        moments = [0.0, *(at for at, name in states if name == stream)]
        assert max(later - earlier for earlier, later in pairwise(moments)) <= 301
        assert len(moments) <= 15
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    counts = [line for line in lines if line.startswith("Logins: 3 waiting.")]
    assert len(counts) in (59, 60)
    assert all("never_ready" in line and "PRODUCT_NOT_READY" in line for line in counts)
    assert len(lines) - len(counts) <= 12  # four steps of three logins
    assert world.count(PRODUCT) > 3 * 20


def test_a_fleet_that_waits_tells_counts_and_the_longest_waits_only(caplog: pytest.LogCaptureFixture) -> None:
    """A hundred logins say no more than one line a minute, and how many ended how; each would be masked at a price."""
    world = World()
    tokens = [world.backend.link(f"late+{number}", by_the_clock(600)) for number in range(100)]
    entries = [{"key": f"n{number}", "access_token": token} for number, token in enumerate(tokens)]
    sync = world.read(world.fleet(entries))
    assert sync.error is None
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    *waiting, end = lines
    assert 9 <= len(waiting) <= 14
    assert all(line.startswith("Logins: ") and line.count(" s") <= 4 for line in waiting)
    assert end == "Logins: 100 ready."


@pytest.mark.parametrize(("logins", "told"), [(FEW_LOGINS, FEW_LOGINS), (FEW_LOGINS + 1, 0)])
def test_each_of_a_few_logins_is_told_when_it_is_ready(
    caplog: pytest.LogCaptureFixture, logins: int, told: int
) -> None:
    """Who watches a handful sees each of them end; of one more, the numbers at the end."""
    world = World()
    assert world.read(world.fleet([f"user_good+{number}" for number in range(logins)])).error is None
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert sum(" ready after " in line for line in lines) == told
    assert (f"Logins: {logins} ready." in lines) == (told == 0)


def test_every_record_fits_the_schema_of_its_stream() -> None:
    """What a destination is promised is what it gets, for every story that delivers something."""
    schemas = {one.name: Draft7Validator(one.json_schema) for one in catalog_streams() if not one.is_file_based}
    world = World()
    stories = ["user_good", "corrected", "partial", "undocumented", "invoices", "unknown_shape", "empty", "locked"]
    sync = world.read(world.fleet(stories))
    for stream, schema in schemas.items():
        rows = sync.rows(stream)
        assert rows
        assert [error.message for row in rows for error in schema.iter_errors(json.loads(json.dumps(row)))] == []


def test_a_full_refresh_does_without_a_state_it_cannot_read() -> None:
    """It sends everything anyway; the same state ends an incremental sync, which would have to guess."""
    world = World()
    state = AirbyteStateMessage(
        type=AirbyteStateType.STREAM,
        stream=AirbyteStreamState(
            stream_descriptor=StreamDescriptor(name="statements"), stream_state=AirbyteStateBlob({"format": "older"})
        ),
    )
    config = world.config(username="instant")
    full = world.read(config, state=[state], catalog=catalog_of(["statements"], SyncMode.full_refresh))
    assert (len(full.rows("statements")), full.error) == (36, None)
    with pytest.raises(AirbyteTracedException, match='The saved state of the stream "statements"'):
        world.read(config, state=[state], catalog=catalog_of(["statements"]))


def test_a_check_tells_its_steps(caplog: pytest.LogCaptureFixture) -> None:
    """The answer of a connection test shows the status of the login."""
    world = World()
    with caplog.at_level(logging.INFO, "airbyte"):
        status = world.source().check(logging.getLogger("airbyte"), world.config(username="slow"))
    assert status.status.value == "SUCCEEDED"
    assert "site: Connecting (1 s)" in caplog.messages
