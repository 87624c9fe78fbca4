"""Incremental sync against an oracle: what a destination shows is the newest document, whatever happened."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from hypothesis import given

from source_linkless.bills import Document, read_document
from source_linkless.streams import STREAMS
from source_linkless.sync.changes import StreamChanges
from testing.deliveries import Connection, vanished
from testing.deliveries import delivered as deliver
from testing.fuzzing import examples
from testing.histories import Step, World, histories

T1, T2, T3 = (f"2026-0{month}-01T06:00:00.000000Z" for month in (1, 2, 3))
LOGIN = Connection("hq", "c-1")
JANUARY = {"statement_id": "s1", "billing_date": "2026-01-11", "charges": [{"charge_name": "Energy", "amount": 1}]}
FEBRUARY = {"statement_id": "s2", "billing_date": "2026-02-11", "charges": [{"charge_name": "Energy", "amount": 2}]}

Row = dict[str, Any]


def document(*bills: Row, number: str = "A", **fields: Any) -> Document:
    """Return a document of one account."""
    return of_accounts({"account_number": number, "statements": list(bills), **fields})


def of_accounts(*accounts: Row) -> Document:
    """Return a document of the accounts as sent."""
    return read_document(orjson.dumps({"source_name": "Example Power", "accounts": accounts}))


def with_unreadable(*bills: Row) -> Document:
    """Return a document of one account that has one more bill, which is no JSON."""
    body = orjson.dumps({"source_name": "Example Power", "accounts": [{"account_number": "A", "statements": bills}]})
    return read_document(body.removesuffix(b"]}]}") + b',{"statement_id": "s2", "usage": NaN}]}]}')


def changes(state: Any = None, stream: str = "statements", start_date: str | None = None) -> StreamChanges:
    """Return the changes of a stream, going on from a state that was saved as JSON."""
    saved = None if state is None else orjson.loads(orjson.dumps(state))
    return StreamChanges(STREAMS[stream], saved, start_date=start_date)


def sent(stream: StreamChanges, delivered: Document, observed_at: str, login: Connection = LOGIN) -> list[Row]:
    """Return everything that one sync sends for a document."""
    return [*deliver(stream, login, delivered, observed_at), *vanished(stream, login, delivered)]


def after(first: Document, stream: str = "statements", start_date: str | None = None) -> Any:
    """Return the state of a stream after its first sync, at T1."""
    began = changes(None, stream, start_date)
    sent(began, first, T1)
    return began.state()


def keys(rows: list[Row]) -> list[tuple[str, str]]:
    """Return which bills were sent, and under which snapshot."""
    return [(row["statement_key"], row["snapshot_at"]) for row in rows]


@examples(80)
@given(histories())
def test_a_destination_shows_the_newest_document_after_any_history(history: list[Step]) -> None:
    """Upserted by primary key and filtered by `snapshot_at`, the rows are those of the newest documents.

    One limit of the contract is left out: an account that keeps bills but no longer has a single charge (or payment)
    leaves nothing newer in that table to outdate its old lines.
    """
    world = World()
    for step in history:
        world.change(step)
        world.sync(step)
        assert world.shown() == world.expected()
        assert world.sync_again(step) == []


def test_an_unchanged_document_sends_nothing() -> None:
    """The same bills in another order, with other names first and 1.0 for 1, are the same document."""
    state = after(document(JANUARY, FEBRUARY))
    again = b'{"accounts": [{"statements": [%s, %s], "account_number": "A"}], "source_name": "Example Power"}' % (
        b'{"charges": [{"amount": 2.0, "charge_name": "Energy"}], "billing_date": "2026-02-11", "statement_id": "s2"}',
        orjson.dumps(JANUARY),
    )
    assert sent(changes(state), read_document(again), T2) == []


def test_a_new_bill_is_sent_alone_under_the_snapshot_it_joins() -> None:
    """A bill dated after all others adds to what the destination has: nothing else moves."""
    rows = sent(changes(after(document(JANUARY))), document(JANUARY, FEBRUARY), T2)
    assert keys(rows) == [("s2", T1)]
    assert rows[0]["observed_at"] == T2


@pytest.mark.parametrize(
    ("bills", "expected"),
    [
        pytest.param([JANUARY | {"total_due_amount": 5}, FEBRUARY], ["s1", "s2"], id="corrected"),
        pytest.param(
            [JANUARY, FEBRUARY, {"statement_id": "s0", "billing_date": "2025-12-11"}], ["s1", "s2", "s0"], id="late"
        ),
        pytest.param([JANUARY, FEBRUARY, {"statement_id": "s9"}], ["s1", "s2", "s9"], id="undated"),
        pytest.param([FEBRUARY], ["s2"], id="vanished"),
        pytest.param([JANUARY | {"statement_id": "s7"}, FEBRUARY], ["s7", "s2"], id="re-keyed"),
        pytest.param([], [], id="emptied"),
    ],
)
def test_a_changed_past_sends_the_account_whole(bills: list[Row], expected: list[str]) -> None:
    """Whatever happened to the bills already sent, every bill goes out under a new snapshot."""
    rows = sent(changes(after(document(JANUARY, FEBRUARY))), document(*bills), T2)
    assert keys(rows) == [(key, T2) for key in expected]


def test_a_changed_account_leaves_the_others_alone() -> None:
    """Only the account whose content changed is sent."""
    other = {"account_number": "B", "statements": [FEBRUARY]}
    state = after(of_accounts({"account_number": "A", "statements": [JANUARY]}, other))
    corrected = of_accounts({"account_number": "A", "statements": [JANUARY | {"total_due_amount": 5}]}, other)
    assert [row["account_number"] for row in sent(changes(state), corrected, T2)] == ["A"]


def test_a_new_bill_that_claims_an_old_key_sends_the_account_whole() -> None:
    """The ordinals of the two bills may differ from before, so the old one cannot stay as it is."""
    undated = {"statement_id": "s1", "total_due_amount": 3}
    state = after(document(JANUARY))
    assert keys(sent(changes(state), document(JANUARY, undated), T2)) == [("s1", T2), ("s1~2", T2)]


def test_a_vanished_account_is_said_once_with_no_bills() -> None:
    """The row of `accounts` with `statement_count` 0 tells every reader that the rest is obsolete."""
    saved = after(of_accounts({"account_number": "A", "statements": [JANUARY]}), "accounts")
    went_on = changes(saved, "accounts")
    rows = sent(went_on, of_accounts(), T2)
    assert rows == [
        {
            "connection_key": "hq",
            "observed_at": T2,
            "snapshot_at": T2,
            "account_number": "A",
            "connection_id": "c-1",
            "source_name": "Example Power",
            "statement_count": 0,
        }
    ]
    assert sent(changes(went_on.state(), "accounts"), of_accounts(), T3) == []


@pytest.mark.parametrize("stream", ["sustainability", "statements", "charges"])
def test_an_account_that_returns_is_sent_whole(stream: str) -> None:
    """Its rows went stale while it was away, so they all come again under a new snapshot."""
    gone = changes(after(document(JANUARY), stream), stream)
    assert sent(gone, of_accounts(), T2) == []
    rows = sent(changes(gone.state(), stream), document(JANUARY), T3)
    assert [row["snapshot_at"] for row in rows] == [T3]


def test_an_account_that_is_still_expected_has_not_vanished() -> None:
    """The provider knows the account and only lacks its data: nothing is said, nothing forgotten."""
    went_on = changes(after(document(JANUARY), "accounts"), "accounts")
    assert list(vanished(went_on, LOGIN, of_accounts(), still_expected={"A"})) == []
    assert sent(changes(went_on.state(), "accounts"), document(JANUARY), T3) == []


@pytest.mark.parametrize("stream", ["accounts", "statements"])
def test_a_document_that_cannot_be_read_makes_nothing_vanish(stream: str) -> None:
    """Bills in a shape we do not know are no proof that the bills are gone."""
    went_on = changes(after(document(JANUARY), stream), stream)
    assert sent(went_on, of_accounts({"account_number": "A", "invoices": [{}]}), T2) == []
    assert sent(changes(went_on.state(), stream), document(JANUARY), T3) == []


def test_a_connection_added_later_gets_its_whole_history() -> None:
    """The dates of one connection never filter another."""
    state = after(document(FEBRUARY))
    assert keys(sent(changes(state), document(JANUARY), T2, Connection("new", None))) == [("s1", T2)]


def test_a_connection_that_left_and_came_back_goes_on_where_it_was() -> None:
    """Its state stays while it is away, as its rows do."""
    absent = changes(after(document(JANUARY)))
    sent(absent, document(JANUARY), T2, Connection("other", None))
    assert keys(sent(changes(absent.state()), document(JANUARY, FEBRUARY), T3)) == [("s2", T1)]


def test_another_start_date_sends_what_it_lets_through() -> None:
    """An earlier one sends the account whole with its older bills; a later one outdates what it excludes."""
    bills = document(JANUARY, FEBRUARY)
    state = after(bills, start_date="2026-02-01")
    assert keys(sent(changes(state), bills, T2)) == [("s1", T2), ("s2", T2)]
    assert keys(sent(changes(after(bills), start_date="2026-02-01"), bills, T2)) == [("s2", T2)]


def test_a_start_date_after_every_bill_leaves_an_account_without_bills() -> None:
    """The account exists: it has a row, and the row says that no bill of it is delivered."""
    rows = sent(changes(None, "accounts", "2027-01-01"), document(JANUARY), T1)
    assert [row["statement_count"] for row in rows] == [0]
    assert "first_billing_date" not in rows[0]


def test_a_raised_projection_version_sends_everything_again() -> None:
    """After an upgrade that adds a column, old rows get it too."""
    newer = STREAMS["statements"]._replace(version=STREAMS["statements"].version + 1)
    upgraded = StreamChanges(newer, after(document(JANUARY)), start_date=None)
    assert keys(sent(upgraded, document(JANUARY), T2)) == [("s1", T2)]


def test_a_full_refresh_sends_everything_under_one_snapshot() -> None:
    """Without a state there is nothing to compare with."""
    assert keys(sent(changes(), document(JANUARY, FEBRUARY), T2)) == [("s1", T2), ("s2", T2)]


@pytest.mark.parametrize("stream", ["sustainability", "accounts"])
def test_a_known_connection_id_survives_a_sync_that_does_not_learn_it(stream: str) -> None:
    """The provider does not name the connection every time; that is no change."""
    state = after(document(JANUARY), stream)
    went_on = changes(state, stream)
    assert sent(went_on, document(JANUARY), T2, Connection("hq", None)) == []
    rows = sent(changes(went_on.state(), stream), document(JANUARY, FEBRUARY), T3, Connection("hq", None))
    assert [row["connection_id"] for row in rows] == ["c-1"]


@pytest.mark.parametrize("stream", ["sustainability", "accounts"])
@pytest.mark.parametrize(("before", "later"), [(None, "c-1"), ("c-1", "c-2"), ("c-1", None)])
def test_a_connection_id_that_is_learnt_or_changes_sends_no_row(
    stream: str, before: str | None, later: str | None
) -> None:
    """Only a changed document sends rows; they carry the connection id as it is known then."""
    first, second = Connection("hq", before), Connection("hq", later)
    earlier = changes(None, stream)
    assert [row.get("connection_id") for row in sent(earlier, document(JANUARY), T1, first)] == [before]
    went_on = changes(earlier.state(), stream)
    assert sent(went_on, document(JANUARY), T2, second) == []
    rows = sent(changes(went_on.state(), stream), document(JANUARY, FEBRUARY), T3, second)
    assert [row["connection_id"] for row in rows] == [later or before]


def test_an_account_counts_as_sent_when_all_its_rows_are() -> None:
    """A run that is killed within an account repeats that account and skips the ones before it."""
    both = of_accounts(
        {"account_number": "A", "statements": [JANUARY]},
        {"account_number": "B", "statements": [JANUARY, FEBRUARY]},
    )
    killed = changes()
    cut_off = deliver(killed, LOGIN, both, T1)
    assert [row["account_number"] for row in (next(cut_off), next(cut_off))] == ["A", "B"]
    repeated = sent(changes(killed.state()), both, T2)
    assert [(row["account_number"], row["statement_key"]) for row in repeated] == [("B", "s1"), ("B", "s2")]


def test_the_last_observation_is_remembered_by_connection() -> None:
    """The next `observed_at` of a connection must be later than this one."""
    went_on = changes(after(document(JANUARY)))
    assert went_on.known("hq").observed_at == T1
    assert went_on.known("unknown").observed_at == ""
    assert sent(went_on, document(JANUARY), T2) == []
    assert changes(went_on.state()).known("hq").observed_at == T2


def test_an_observation_without_a_document_is_remembered_too() -> None:
    """Rows of `connections` come from no document, and their cursor grows all the same."""
    health = changes(None, "connections")
    health.observe(*LOGIN, T1)
    assert sent(health, document(JANUARY), T2) == []
    assert changes(health.state(), "connections").known("hq").observed_at == T2


def test_whether_a_connection_had_rows() -> None:
    """A connection without bills has nothing in `statements` that a replaced table could lose."""
    assert changes(after(document(JANUARY))).known("hq").had_rows is True
    assert changes(after(document())).known("hq").had_rows is False
    assert changes().known("hq").had_rows is False


def test_the_state_says_its_format_and_nothing_of_the_bills() -> None:
    """Three values per account, whatever its bills; the state is a JSON value."""
    state = after(document(JANUARY, FEBRUARY, secret_note="x"))
    digest = state["connections"]["hq"]["accounts"]["A"][2]
    assert len(digest) == 20
    assert state == {
        "format": 1,
        "connections": {
            "hq": {"observed_at": T1, "connection_id": "c-1", "accounts": {"A": ["2026-02-11", T1, digest]}}
        },
    }


@pytest.mark.parametrize("nothing", [None, {}, {"__ab_no_cursor_state_message": True}])
def test_a_state_without_content_is_a_first_sync(nothing: Any) -> None:
    """The platform's placeholder and an empty state say that nothing was sent yet."""
    assert keys(sent(changes(nothing), document(JANUARY), T1)) == [("s1", T1)]


@pytest.mark.parametrize(
    "unknown",
    [
        {"cursor": "2026-01-01"},
        {"format": 2, "connections": {}},
        {"format": 1},
        {"format": 1, "connections": []},
        {"format": 1, "connections": {"hq": {}}},
        {"format": 1, "connections": {"hq": {"observed_at": 5}}},
        {"format": 1, "connections": {"hq": {"observed_at": T1, "accounts": {"A": ["2026-01-11", T1]}}}},
        {"format": 1, "connections": {"hq": {"observed_at": T1, "accounts": {"A": [5, T1, "x"]}}}},
    ],
)
def test_a_state_of_an_unknown_form_is_refused(unknown: Any) -> None:
    """Half-understood state would lose rows without a message; the message says what to do."""
    with pytest.raises(AirbyteTracedException) as refused:
        changes(unknown)
    assert refused.value.failure_type is FailureType.config_error
    assert refused.value.message == (
        'The saved state of the stream "statements" has a form that this version of the connector does not know: '
        "clear the stream to load it again, or go back to the version that saved it."
    )


@pytest.mark.no_cover  # thousands of bills run the same lines as a few
def test_the_state_takes_at_most_140_bytes_for_an_account() -> None:
    """Measured on 40 accounts with 120 bills each, with numbers of 12 digits."""
    dates = [f"{2016 + month // 12}-{month % 12 + 1:02}-11" for month in range(120)]
    bills = [{"statement_id": day, "billing_date": day} for day in dates]
    numbers = (str(100_200_300_000 + number) for number in range(40))
    large = of_accounts(*({"account_number": number, "statements": bills} for number in numbers))
    for stream in STREAMS:
        overhead = len(orjson.dumps(after(of_accounts(), stream)))
        assert (len(orjson.dumps(after(large, stream))) - overhead) / 40 <= 140, stream


@pytest.mark.parametrize("stream", ["statements", "charges", "payments", "accounts", "sustainability"])
def test_a_bill_that_cannot_be_read_any_more_keeps_its_rows(stream: str) -> None:
    """The account keeps its snapshot and its state; a bill that is newer than all before it is sent."""
    march = {**FEBRUARY, "statement_id": "s3", "billing_date": "2026-03-11"}
    state = after(document(JANUARY, FEBRUARY), stream)
    second = changes(state, stream)
    rows = sent(second, with_unreadable(JANUARY, march), T2)
    assert {row["snapshot_at"] for row in rows} <= {T1}
    assert {row.get("statement_key") for row in rows} <= {"s3"}
    assert second.state()["connections"]["hq"]["accounts"] == state["connections"]["hq"]["accounts"]
    assert {row["snapshot_at"] for row in sent(second, document(JANUARY, FEBRUARY), T3)} == set()


def test_a_bill_that_could_never_be_read_holds_back_no_correction() -> None:
    """Whether it was unreadable from the start, or came unreadable."""
    for first in (with_unreadable(JANUARY), document(JANUARY)):
        stream = changes(None)
        sent(stream, first, T1)
        stream = changes(stream.state())
        assert sent(stream, with_unreadable(JANUARY), T2) == []
        stream = changes(stream.state())
        corrected = {**JANUARY, "total_due_amount": 3}
        assert keys(sent(stream, with_unreadable(corrected), T3)) == [("s1", T3)]
