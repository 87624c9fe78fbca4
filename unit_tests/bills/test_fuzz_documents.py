"""Invented documents through the connector's own door: whatever is sent, nothing breaks and nothing is lost."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Iterator
from itertools import dropwhile
from typing import Any

import orjson
import pytest
from airbyte_cdk.models import AirbyteStateMessage, AirbyteStateMessageSerializer, FailureType
from hypothesis import given
from hypothesis import strategies as st

from linkless_simulator.answers import JSON, Answer
from linkless_simulator.faults import Planned
from source_linkless.bills import columns
from testing.fuzzing import examples
from testing.record_rules import broken_rules
from testing.strange_json import depth, documents, leaves, nearly_json, orderly, plain, rearranged, sendable
from testing.worlds import Sync, World

_DEEPEST = 200  # levels of a document that must be read; deeper ones may be refused


class Provider:
    """A world with one login that is linked, and whatever document the provider has for it."""

    def __init__(self) -> None:
        """Link the login."""
        self._world = World()
        token = self._world.backend.link("user_good")
        login = {"method": "access_token", "access_token": token, "key": "site"}
        self._config = self._world.config(connection=login)

    def deliver(self, body: bytes, state: list[AirbyteStateMessage] | None = None) -> Sync:
        """Read while the provider answers with this body."""
        answer = Answer(200, {"content-type": JSON}, body)
        self._world.backend.plan(Planned("/sustainability/get", answer, username="user_good"))
        sync = self._world.read(self._config, state=state or [])
        assert broken_rules(sync.messages) == []
        return sync


def saved(sync: Sync) -> list[AirbyteStateMessage]:
    """Return the states of a sync as they come back from a file."""
    dumped = orjson.dumps([AirbyteStateMessageSerializer.dump(state) for state in sync.states])
    return [AirbyteStateMessageSerializer.load(state) for state in orjson.loads(dumped)]


def streams_of(sync: Sync) -> set[str]:
    """Return the streams that a sync sent records of."""
    return {message.record.stream for message in sync.messages if message.record is not None}


def rows_of_document(document: dict[str, Any]) -> Sync:
    """Return the first sync of a document that can be read."""
    sync = Provider().deliver(json.dumps(document).encode())
    assert sync.error is None
    return sync


@examples(40)
@given(documents, st.integers(0, 999))
def test_any_object_is_read_and_its_repetition_sends_nothing(document: dict[str, Any], seed: int) -> None:
    """Every record is valid; a second sync, in any order and notation, sends the row of `connections` alone."""
    provider = Provider()
    first = provider.deliver(json.dumps(document).encode())
    if "accounts" not in document and first.row("site").get("reason") == "UNREADABLE_DOCUMENT":
        return  # nothing in it could be accounts
    assert first.error is None
    assert first.row("site")["status"] in ("ready", "no_data")
    again = rearranged(document, random.Random(seed))  # noqa: S311 - repeatable, not cryptography
    for body in (orjson.dumps(document), json.dumps(again, indent=1, ensure_ascii=False).encode()):
        following = provider.deliver(body, saved(first))
        assert following.error is None
        assert streams_of(following) == {"connections"}
        first = following


@examples(40)
@given(documents)
def test_sustainability_gives_the_whole_document_back(document: dict[str, Any]) -> None:
    """Every bill is there as it was sent, as often as it was sent, and everything else under its own name."""
    document = sendable({"accounts": [], **document})
    rows = rows_of_document(document).rows("sustainability")
    bills = [bill for row in rows for bill in row.get("statements", ())]
    assert Counter(map(plain, bills)) == Counter(map(plain, _bills(document)))
    if not rows:  # an empty document: no account exists that could have a row
        assert not document.get("accounts")
        return
    kept = {(path, plain(value)) for row in rows for path, value in _named(row)}
    lost = [(path, value) for path, value in _said(document) if not kept & {(path, one) for one in _readings(value)}]
    assert lost == []


@examples(40)
@given(orderly)
def test_a_bill_is_in_its_columns_or_in_other_fields(document: dict[str, Any]) -> None:
    """What no column of `statements`, `charges` and `payments` can hold stands in their `other_fields`."""
    document = sendable(document)
    sync = rows_of_document(document)
    bills = [_everything(row, "statements") for row in sync.rows("statements")]
    for bill in _bills(document):
        assert any(_holds(row, bill, {"charges", "payments"}) for row in bills)
    for name in ("charges", "payments"):
        lines = [_everything(row, name) for row in sync.rows(name)]
        for line in (line for bill in _bills(document) for line in _objects(bill.get(name))):
            assert any(_holds(row, line, set()) for row in lines)


@examples(60)
@given(nearly_json())
def test_a_body_that_is_nearly_json_is_read_or_refused(body: bytes) -> None:
    """Ordinary JSON is read. A body that cannot be read fails the login with one reason, and no other way."""
    sync = Provider().deliver(body)
    row = sync.row("site")
    if row["status"] in ("ready", "no_data") and row.get("reason") != "NO_ACCOUNTS":
        assert sync.error is None
    elif row["reason"] != "NO_ACCOUNTS":  # an error object of the provider
        assert (row["status"], row["reason"], row["actor"]) == ("failed", "UNREADABLE_DOCUMENT", "connector")
        assert sync.failure_type is FailureType.system_error
        assert {sync.statuses(stream)[-1] for stream in streams_of(sync) - {"connections"}} <= {"INCOMPLETE"}
        assert not _must_be_read(body)


@pytest.mark.parametrize(
    ("text", "judgement"),
    [
        ('{"accounts": 1, "a": [2]}', True),
        ('{"a": [2]}', False),
        ('{"accounts": NaN}', False),
        ("[1]", False),
        ('{"accounts": "\\ud83d\\ude00"}', True),
        ('{"accounts": "\\ud83d"}', False),
        ('{"accounts": 1e999}', False),
        ('{"accounts": ' + "[" * 300 + "]" * 300 + "}", False),
    ],
)
def test_the_judge_of_bodies_is_just(text: str, *, judgement: bool) -> None:
    """JSON objects with accounts must be read, but for what JSON allows and records cannot hold."""
    assert _must_be_read(text.encode()) is judgement


def _must_be_read(body: bytes) -> bool:
    try:
        value = json.loads(body.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    if not isinstance(value, dict) or "accounts" not in value:
        return False
    return depth(value) <= _DEEPEST and all(map(_is_ordinary, _scalars(value)))


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _scalars(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from _scalars(inner)
        else:
            yield inner


def _is_ordinary(value: Any) -> bool:
    """Whether a record can hold a scalar: whole characters, and numbers that a double or 64 bits can hold."""
    if isinstance(value, str):
        return not any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, int):
        return -(2**63) <= value < 2**64
    return not isinstance(value, float) or math.isfinite(value)


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _bills(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [bill for account in _objects(document.get("accounts")) for bill in _objects(account.get("statements"))]


def _said(document: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield what a document says beside its bills; the login name is not to be repeated, an empty list says nothing."""
    for path, value in leaves({name: value for name, value in document.items() if name != "username"}):
        if path[:2] != ("accounts", "statements") or not isinstance(document["accounts"], list):
            yield _short(path), value
    for account in _objects(document.get("accounts")):
        sent = account.get("statements")
        odd = [item for item in sent if not isinstance(item, dict)] if isinstance(sent, list) else sent
        yield from leaves(odd, ("statements",))


def _named(row: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name in ("account_number", "source_name", "source_country"):
        yield from leaves(row.get(name), (name,))
    for path, value in leaves(row.get("other_fields", {})):
        yield _short(path), value


def _short(path: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out `accounts`: fields of an account stand beside those of its document."""
    return tuple(dropwhile("accounts".__eq__, path))


_OUR_COLUMNS = {"connection_key", "observed_at", "snapshot_at", "content_hash", "statement_key_basis", "other_fields"}


def _everything(row: dict[str, Any], stream: str) -> dict[str, list[str]]:
    """Return what a row says under each name, in a column or among its other fields."""
    own = _OUR_COLUMNS | ({"billing_date"} if stream == "charges" else set())
    said = [(name, value) for name, value in row.items() if name not in own]
    names: dict[str, list[str]] = {}
    for name, value in (*said, *row.get("other_fields", {}).items()):
        names.setdefault(name, []).append(plain(value))
    return names


def _holds(row: dict[str, list[str]], sent: dict[str, Any], elsewhere: set[str]) -> bool:
    return all(
        _is_held(row.get(name, []), value)
        for name, value in sent.items()
        if value is not None and (name not in elsewhere or not isinstance(value, list))
    )


def _readings(value: Any) -> set[str]:
    """Return a value, and what a column may hold in its place: a date, a number, the digits of a number."""
    sent = int(value) if isinstance(value, float) and value.is_integer() else value
    read = (reader(sent) for reader in (columns.text, columns.number, columns.integer, columns.day))
    return {plain(value), *(plain(one) for one in read if one is not None)}


def _is_held(held: list[str], value: Any) -> bool:
    """Whether a row has a value whole, its date alone where it says no more, or its objects and the rest apart."""
    if _readings(value) & {*held}:
        return True
    if not isinstance(value, list):
        return False
    odd = [item for item in value if not isinstance(item, dict)]
    return {plain(_objects(value)), plain(odd)} <= {*held, plain([])}
