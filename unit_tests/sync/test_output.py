"""Records leave as messages or as lines: both say the same, in the same order, and a state counts them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.models import AirbyteMessage, AirbyteStateStats, FailureType, Type
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from linkless_simulator.bills import Sizes
from linkless_simulator.scenarios import STORIES
from source_linkless.bills.content import Rows, members
from source_linkless.config import parse_config
from source_linkless.sync import Lines, Messages, Output, SelectedStream
from testing.worlds import World, catalog_of

MINUTES = 0.2
"""Long enough for every story that delivers something."""


def config(world: World, story: str) -> dict[str, Any]:
    """Return the configuration of one login of a story."""
    return world.config(username=story, data_timeout_minutes=MINUTES)


def small_world() -> World:
    """Return a world of small documents; each is like every other."""
    return World(sizes=Sizes(accounts=2, statements=3))


def without_time(line: bytes | str) -> dict[str, Any]:
    """Return a record line without the moment at which it was emitted."""
    message: dict[str, Any] = orjson.loads(line)
    assert message["type"] == "RECORD"
    assert isinstance(message["record"].pop("emitted_at"), int)
    return message


def lines_of(blocks: list[bytes]) -> list[bytes]:
    """Return the lines of what was written; each is whole."""
    written = b"".join(blocks)
    assert written == b"" or written.endswith(b"\n")
    return written.removesuffix(b"\n").split(b"\n") if written else []


def as_the_cdk_prints(messages: list[AirbyteMessage]) -> list[str]:
    """Return the record lines that the CDK's own way prints."""
    records = [message for message in messages if message.type is Type.RECORD]
    return [AirbyteEntrypoint.airbyte_message_to_string(message) for message in records]


@pytest.mark.parametrize("story", STORIES)
def test_lines_say_what_the_cdk_would_print(story: str) -> None:
    """For every story, record for record; nothing else differs but that the records are not among the messages."""
    blocks: list[bytes] = []
    standard, quick = small_world(), small_world()
    by_messages = standard.read(config(standard, story))
    lines = Lines(blocks.append)
    by_lines = quick.read(config(quick, story), output=lines)
    lines.flush()  # as `launch` does at the end
    printed = [without_time(line) for line in as_the_cdk_prints(by_messages.messages)]
    assert [without_time(line) for line in lines_of(blocks)] == printed
    assert as_the_cdk_prints(by_lines.messages) == []
    others = [message for message in by_messages.messages if message.type is not Type.RECORD]
    assert [message.type for message in by_lines.messages] == [message.type for message in others]
    assert by_lines.states == by_messages.states
    assert by_lines.failure_type == by_messages.failure_type


@pytest.mark.parametrize("output", [Messages(), Lines(lambda _: None)], ids=["messages", "lines"])
def test_a_state_counts_the_records_that_it_covers(output: Output) -> None:
    """Each record is counted once, in the next state of its stream."""
    world = World()
    chosen = catalog_of(["charges", "payments"]).streams
    charges, payments = (SelectedStream(one, (), parse_config(world.config()), output) for one in chosen)
    list(charges.records([Rows(members({"a": 1}), [members({"b": 2}), members({"b": 3})])]))
    list(payments.records([Rows(members({"a": 1}), [members({"b": 2})])]))
    states = [stream.state().state for stream in (charges, charges, payments)]
    counts = [state.sourceStats for state in states if state]
    assert counts == [AirbyteStateStats(2.0), AirbyteStateStats(0.0), AirbyteStateStats(1.0)]


def test_lines_are_written_in_blocks_and_the_rest_when_asked() -> None:
    """A few lines wait for others; many do not wait, and no block holds half a line."""
    blocks: list[bytes] = []
    lines = Lines(blocks.append)
    row = Rows(members({"key": "k"}), [members({"text": "x" * 1_000})])
    lines.records("charges", row)
    assert blocks == []
    for _ in range(299):
        lines.records("charges", row)
    assert len(blocks) == 1
    assert 262_144 <= len(blocks[0]) < 264_000
    lines.flush()
    assert [orjson.loads(line)["record"]["data"] for line in lines_of(blocks)] == [*row.dicts()] * 300


def test_the_memory_guard_is_told_of_every_block() -> None:
    """The CDK's guard counts messages, and records are none for it."""
    told: list[int] = []
    lines = Lines(lambda _: None, told.append)
    row = Rows(members({"key": "k"}), [members({"text": "x" * 100_000})] * 3)  # more than a block
    for _ in range(4):
        lines.records("charges", row)
    assert told == [3, 3, 3, 3]


def test_the_memory_guard_ends_the_sync() -> None:
    """What it raises is no fault of the document that is being sent: everything before it was written."""

    def full(_records: int) -> None:
        raise AirbyteTracedException(message="out of memory", failure_type=FailureType.system_error)

    blocks: list[bytes] = []
    world = World(sizes=Sizes(accounts=40, statements=40))
    sync = world.read(world.config(username="instant"), output=Lines(blocks.append, full))
    assert sync.error is not None
    assert sync.error.message == "out of memory"
    assert len(lines_of(blocks)) > 100
