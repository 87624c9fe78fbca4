"""Invented states through the connector's own door: accepted, or refused with a way out; neither loses a row."""

from __future__ import annotations

import json
from tempfile import NamedTemporaryFile
from typing import Any

from airbyte_cdk.models import AirbyteStateMessage, AirbyteStateMessageSerializer, SyncMode
from hypothesis import example, given
from hypothesis import strategies as st

from source_linkless import SourceLinkless
from source_linkless.streams import STREAMS
from testing.fuzzing import examples, result_or_refusal, sentence_of
from testing.record_rules import broken_rules
from testing.strange_json import anything, damaged, damaged_text
from testing.worlds import Sync, World, catalog_of

Row = dict[str, Any]
Tables = dict[str, dict[tuple[Any, ...], Row]]

DOCUMENT_STREAMS = tuple(name for name, stream in STREAMS.items() if stream.parts)
JANUARY = {"statement_id": "s1", "billing_date": "2026-01-11", "charges": [{"charge_name": "Energy", "amount": 1}]}
FEBRUARY = {"statement_id": "s2", "billing_date": "2026-02-11", "payments": [{"amount": 2, "date": "2026-02-01"}]}
MARCH = {"statement_id": "s3", "billing_date": "2026-03-11", "charges": [{"charge_name": "Water", "amount": 3}]}


def document(*bills: Row) -> Row:
    """Return a document of two accounts, one of which never changes."""
    steady = {"account_number": "B", "statements": [JANUARY]}
    return {"accounts": [{"account_number": "A", "statements": list(bills)}, steady]}


BEFORE, AFTER = document(JANUARY, FEBRUARY), document(JANUARY, FEBRUARY | {"total_due_amount": 9}, MARCH)
GROWN = document(JANUARY, FEBRUARY, MARCH)


def syncing(
    world: World, delivered: Row, state: list[AirbyteStateMessage], mode: SyncMode = SyncMode.incremental
) -> Sync:
    """Sync a login whose provider has this document."""
    world.backend.deliver("user_good", delivered)
    login = {"method": "access_token", "access_token": world.backend.link("user_good"), "key": "site"}
    return world.read(world.config(connection=login), state=state, catalog=catalog_of(mode=mode))


FIRST = syncing(World(), BEFORE, [])
VALID = {state.stream.stream_descriptor.name: vars(state.stream.stream_state) for state in FIRST.states if state.stream}


def messages_of(blobs: dict[str, Any]) -> list[AirbyteStateMessage]:
    """Return the states of several streams as they come from a file."""
    return [
        AirbyteStateMessageSerializer.load(
            {"type": "STREAM", "stream": {"stream_descriptor": {"name": name}, "stream_state": blob}}
        )
        for name, blob in json.loads(json.dumps(blobs)).items()
    ]


FILE = json.dumps([AirbyteStateMessageSerializer.dump(state) for state in messages_of(VALID)])


def land(tables: Tables, sync: Sync) -> Tables:
    """Upsert the rows of a sync by primary key, as a destination in *append + deduped* shows them."""
    for name in DOCUMENT_STREAMS:
        table = tables.setdefault(name, {})
        table |= {tuple(row[column] for column in STREAMS[name].primary_key): row for row in sync.rows(name)}
    return tables


def shown(tables: Tables) -> dict[str, list[str]]:
    """Return what a reader sees who keeps to each account's newest snapshot, without the connector's times."""
    return {
        name: sorted(
            json.dumps({column: value for column, value in row.items() if column not in _TIMES}, sort_keys=True)
            for row in rows.values()
            if row["snapshot_at"] == max(one["snapshot_at"] for one in rows.values() if _account(one) == _account(row))
        )
        for name, rows in tables.items()
    }


_TIMES = ("observed_at", "snapshot_at", "connection_id")


def _account(row: Row) -> tuple[str, str]:
    return row["connection_key"], row["account_number"]


# Another valid moment is a lie that nothing can tell from the truth; every other change must be noticed or harmless.
_strange = anything | st.sampled_from(["", "yesterday", "2026-13-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
blobs = st.sampled_from(DOCUMENT_STREAMS).flatmap(
    lambda name: st.tuples(st.just(name), damaged(st.just(VALID[name]), _strange))
)
foreign = st.dictionaries(
    st.sampled_from(["format", "connections", "cursor", "state", "__ab_no_cursor_state_message"]),
    anything | st.dictionaries(st.sampled_from(["site", "hq"]), anything),
)


def with_moment(text: str) -> tuple[str, Any]:
    """Return a state whose login was seen at another moment."""
    (key, known), *_ = VALID["sustainability"]["connections"].items()
    return "sustainability", {**VALID["sustainability"], "connections": {key: {**known, "observed_at": text}}}


def with_snapshot(text: str) -> tuple[str, Any]:
    """Return a state whose accounts were last sent whole at another moment."""
    (key, known), *_ = VALID["statements"]["connections"].items()
    accounts = {number: [newest, text, *rest] for number, (newest, _, *rest) in known["accounts"].items()}
    return "statements", {**VALID["statements"], "connections": {key: {**known, "accounts": accounts}}}


@examples(40)
@given(blobs, st.sampled_from([BEFORE, AFTER, GROWN]))
@example(with_snapshot(""), GROWN)
@example(with_snapshot("2026-13-01T00:00:00Z"), GROWN)
@example(with_snapshot("2026-02-11"), GROWN)
@example(with_moment("2026-13-01T00:00:00Z"), AFTER)
@example(with_moment("2026-13-01"), AFTER)
def test_a_damaged_state_is_refused_or_the_destination_is_complete(blob: tuple[str, Any], delivered: Row) -> None:
    """After a sync that goes on from it, a reader sees the newest document; a refusal says what to clear."""
    name, value = blob
    world = World()
    tables = land({}, syncing(world, BEFORE, []))
    sync = read_or_refused(world, delivered, {**VALID, name: value})
    if sync is not None:
        assert shown(land(tables, sync)) == shown(land({}, syncing(World(), delivered, [])))


@examples(40)
@given(st.sampled_from(list(STREAMS)), foreign | st.dictionaries(st.text(max_size=3), anything))
def test_a_foreign_state_is_refused_or_taken_for_none(name: str, value: Any) -> None:
    """A stream that goes on from what it does not know would leave rows out: it says so, or sends everything."""
    sync = read_or_refused(World(), AFTER, {name: value})
    if sync is not None:
        assert shown(land({}, sync)) == shown(land({}, syncing(World(), AFTER, [])))


_messages = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["STREAM", "GLOBAL", "LEGACY"]) | anything,
        "stream": st.fixed_dictionaries({"stream_descriptor": st.just({"name": "accounts"}), "stream_state": anything}),
        "global": anything,
        "data": anything,
    },
)


@examples(30)
@given(anything.map(json.dumps) | st.lists(_messages, max_size=2).map(json.dumps) | damaged_text(st.just(FILE)))
@example("5")
@example('{"format": 1, "connections": {}}')
def test_a_file_of_states_is_read_or_refused(text: str) -> None:
    """Whatever a runner passes as `--state`, it is a list of states or one sentence that says what belongs there."""
    with NamedTemporaryFile("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        states, refusal = result_or_refusal(lambda: SourceLinkless.read_state(file.name))
    if refusal is None:
        assert isinstance(states, list)
    else:
        assert sentence_of(refusal).startswith(f"The state file {file.name} ")


def read_or_refused(world: World, delivered: Row, states: dict[str, Any]) -> Sync | None:
    """Return a whole sync, or None when the state was refused in the one way that helps."""
    asked = world.backend.count("/sustainability/get")
    usable = {name: blob for name, blob in states.items() if isinstance(blob, dict)}
    sync, refusal = result_or_refusal(lambda: syncing(world, delivered, messages_of(usable)))
    if sync is None or refusal is not None:
        assert refusal is not None
        assert [name for name in usable if f'stream "{name}"' in sentence_of(refusal)] != []
        assert "clear the stream" in sentence_of(refusal)
        assert world.backend.count("/sustainability/get") == asked
        return None
    assert sync.error is None
    assert broken_rules(sync.messages) == []
    assert syncing(World(), delivered, sync.states).error is None
    return sync


@examples(30)
@given(blobs | st.tuples(st.sampled_from(list(STREAMS)), foreign))
def test_a_full_refresh_ignores_every_state(blob: tuple[str, Any]) -> None:
    """Its rows are those of a first sync, whatever the state says."""
    states = messages_of({name: value for name, value in [blob] if isinstance(value, dict)})
    sync = syncing(World(), AFTER, states, SyncMode.full_refresh)
    assert sync.error is None
    assert broken_rules(sync.messages) == []
    assert shown(land({}, sync)) == shown(land({}, syncing(World(), AFTER, [])))
