"""The rows of each stream, column by column, and what discover says of them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from airbyte_cdk.models import SyncMode

from source_linkless.bills import Document, read_document
from source_linkless.streams import STREAMS, Delivery, catalog_streams
from source_linkless.sync.changes import StreamChanges
from testing.deliveries import Connection
from testing.deliveries import delivered as deliver

Row = dict[str, Any]

SEEN = "2026-03-01T06:00:00.000000Z"
COMMON = {"connection_key": "hq", "observed_at": SEEN, "snapshot_at": SEEN}
BILL: Row = {
    "statement_id": "s1",
    "customer_name": "Example Ltd",
    "customer_number": "C-1",
    "account_number": "100200300",
    "statement_number": None,
    "billing_address": "Example Ltd\n1 Main St",
    "billing_period_start_date": "2026-01-10",
    "billing_period_end_date": "2026-02-10",
    "billing_period_duration_days": 31,
    "billing_date": "2026-02-11",
    "next_billing_date": "2026-03-11",
    "payment_due_date": "2026-03-01",
    "auto_pay_date": None,
    "previous_total_due_amount": 100.0,
    "balance_forward": 0,
    "total_due_amount": 120.50,
    "currency_code": "USD",
    "payments": [{"date": "2026-02-01", "details": "card", "amount": 100.0}],
    "corrections": [{"any": "shape"}],
    "charges": [{"charge_name": "Energy 1,000 kWh @ 12.34¢", "amount": 123.4}],
}
UNTYPED: Row = {
    # declared fields whose values their columns cannot hold
    "customer_number": 77.5,
    "billing_date": "2026-02-11T08:00:00Z",
    "payment_due_date": "soon",
    "billing_period_duration_days": 30.5,
    "total_due_amount": "1,205",
    "balance_forward": True,
    "currency_code": ["USD"],
    "corrections": "none",
}


def document(*bills: Row, **fields: Any) -> Document:
    """Return a document of one account."""
    account = {"account_number": "100200300", "statements": list(bills), **fields}
    envelope = {"source_name": "Example Power", "source_country": "US", "username": "u@example.com"}
    return read_document(orjson.dumps({**envelope, "accounts": [account]}))


def rows(stream: str, delivered: Document, start_date: str | None = None) -> list[Row]:
    """Return all rows of a document in a stream."""
    first = StreamChanges(STREAMS[stream], None, start_date=start_date)
    return list(deliver(first, Connection("hq", "c-1"), delivered, SEEN))


def test_sustainability_is_the_account_as_the_provider_gave_it() -> None:
    """The bills are untouched; what the envelope and the account say besides is kept; the login name is not."""
    delivered = document(BILL, BILL, site="North", source_type="Gas")
    assert rows("sustainability", delivered) == [
        {
            **COMMON,
            "account_number": "100200300",
            "connection_id": "c-1",
            "source_name": "Example Power",
            "source_country": "US",
            "other_fields": {"site": "North", "source_type": "Gas"},
            "statements": [BILL, BILL],
        }
    ]


def test_charges_inside_another_field_stay_there_in_sustainability() -> None:
    """They are rows of `charges`, but not charges of the bill itself."""
    bill = {**BILL, "meters": [{"meter": "M1", "charges": [{"charge_name": "Energy", "amount": 5}]}]}
    delivered = document(bill)
    assert len(rows("charges", delivered)) == len(rows("charges", document(BILL))) + 1
    assert rows("sustainability", delivered)[0]["statements"] == [bill]


def test_sustainability_shows_what_no_other_stream_can() -> None:
    """A document of the older shape has accounts but no bills that we know."""
    older = read_document(b'{"source_type": "Gas", "accounts": [{"account_number": "A", "invoices": [1]}]}')
    other = {"source_type": "Gas", "invoices": [1]}
    assert rows("sustainability", older) == [
        {**COMMON, "account_number": "A", "connection_id": "c-1", "other_fields": other}
    ]
    assert [rows(name, older) for name in ("accounts", "statements", "charges", "payments")] == [[], [], [], []]


def test_an_unknown_envelope_is_one_row_of_sustainability() -> None:
    """Everything that was said is in `other_fields`; what no account can be named for has the empty number."""
    unknown = read_document(b'{"source_name": "Example Power", "username": "u", "result": {"bills": [{"a": 1.0}]}}')
    assert rows("sustainability", unknown) == [
        {
            **COMMON,
            "account_number": "",
            "connection_id": "c-1",
            "source_name": "Example Power",
            "other_fields": {"result": {"bills": [{"a": 1}]}},
        }
    ]


def test_accounts_count_the_bills_that_are_delivered() -> None:
    """Count and dates are those of the rows in `statements`."""
    older, undated = {"statement_id": "s0", "billing_date": "2025-12-11"}, {"statement_id": "s2"}
    expected = {
        **COMMON,
        "account_number": "100200300",
        "connection_id": "c-1",
        "source_name": "Example Power",
        "source_country": "US",
        "statement_count": 3,
        "first_billing_date": "2025-12-11",
        "last_billing_date": "2026-02-11",
    }
    assert rows("accounts", document(BILL, BILL, older, undated)) == [expected]


def test_a_statement_has_each_documented_field_by_its_own_name() -> None:
    """Nulls are left out; charges and payments have streams of their own; the hash and the basis are ours."""
    delivered = document({**BILL, "usage": {"kWh": 1000.0}, "meter": None})
    left_out = ("statement_number", "auto_pay_date", "payments", "charges")
    assert rows("statements", delivered) == [
        {
            **COMMON,
            **{name: value for name, value in BILL.items() if name not in left_out},
            "statement_key": "s1",
            "statement_key_basis": "statement_id",
            "other_fields": {"usage": {"kWh": 1000}},
            "content_hash": next(delivered.accounts()).statements[0].content_hash,
        }
    ]


def test_values_that_a_column_cannot_hold_move_to_other_fields() -> None:
    """What could be read in two ways is not converted, nothing is dropped, and the column is unknown."""
    (row,) = rows("statements", document({"statement_id": 5.5, **UNTYPED, "charges": {"a": 1}, "payments": ["odd"]}))
    assert row["other_fields"] == {"statement_id": 5.5, **UNTYPED, "charges": {"a": 1}, "payments": ["odd"]}
    assert set(row) == {
        *COMMON,
        *("account_number", "statement_key", "statement_key_basis", "other_fields", "content_hash"),
    }


def test_items_of_corrections_that_are_no_objects_are_kept_apart() -> None:
    """An array column holds objects only."""
    (row,) = rows("statements", document({"corrections": [{"a": 1}, 5, None]}))
    assert (row["corrections"], row["other_fields"]) == ([{"a": 1}], {"corrections": [5, None]})


def test_a_number_on_the_bill_that_is_not_the_accounts_is_kept() -> None:
    """The key column is the account's number; the printed one is not lost."""
    (row,) = rows("statements", document({**BILL, "account_number": "100-200-300"}))
    assert (row["account_number"], row["other_fields"]) == ("100200300", {"account_number": "100-200-300"})


@pytest.mark.parametrize(("sent", "expected"), [("2026-02-11T00:00:00", "2026-02-11"), (31.0, 31)])
def test_what_means_a_date_or_a_whole_number_becomes_one(sent: Any, expected: Any) -> None:
    """Midnight without a zone says a date, 31.0 says 31."""
    column = "billing_date" if isinstance(sent, str) else "billing_period_duration_days"
    (row,) = rows("statements", document({column: sent}))
    assert (row[column], "other_fields" in row) == (expected, False)


def test_a_charge_has_its_text_read_and_its_bills_date_and_currency() -> None:
    """Quantity, unit and price come from the text; everything else as sent."""
    (row,) = rows("charges", document({**BILL, "charges": [{**BILL["charges"][0], "meter": "M1", "tax": None}]}))
    assert len(row.pop("charge_key")) == 32
    assert row == {
        **COMMON,
        "account_number": "100200300",
        "statement_key": "s1",
        "charge_name": "Energy 1,000 kWh @ 12.34¢",
        "amount": 123.4,
        "currency_code": "USD",
        "billing_date": "2026-02-11",
        "quantity": 1000,
        "unit": "kWh",
        "unit_price": 0.1234,
        "other_fields": {"meter": "M1"},
    }


def test_a_payment_has_its_bills_currency() -> None:
    """Unless it says its own."""
    other = {"date": "soon", "amount": -5, "currency_code": "CAD"}
    first, second = rows("payments", document({**BILL, "payments": [*BILL["payments"], other]}))
    assert first["payment_key"] != second["payment_key"]
    del first["payment_key"], second["payment_key"]
    keys = {**COMMON, "account_number": "100200300", "statement_key": "s1"}
    assert first == {**keys, "date": "2026-02-01", "details": "card", "amount": 100, "currency_code": "USD"}
    assert second == {**keys, "amount": -5, "currency_code": "CAD", "other_fields": {"date": "soon"}}


def test_lines_are_known_by_their_content_wherever_they_stand() -> None:
    """Identical lines are numbered; the order of lines and the notation of numbers say nothing."""
    one, two = {"charge_name": "Tax", "amount": 1}, {"charge_name": "Tax", "amount": 2.5}
    first = [row["charge_key"] for row in rows("charges", document({"charges": [one, two, one]}))]
    second = [row["charge_key"] for row in rows("charges", document({"charges": [two, {**one, "amount": 1.0}, one]}))]
    assert first[2] == f"{first[0]}~2"
    assert second == [first[1], first[0], first[2]]


@pytest.mark.parametrize("stream", ["charges", "payments"])
@pytest.mark.parametrize("lines", [None, [], {}, "none", ["odd"]])
def test_a_bill_without_lines_has_no_rows_of_them(stream: str, lines: Any) -> None:
    """Whatever stands in the place of the lines, nothing is invented."""
    assert rows(stream, document({**BILL, stream: lines})) == []


def test_the_start_date_is_the_first_day_that_is_sent() -> None:
    """Bills before it are left out of everything but `sustainability`; bills without a date pass."""
    before, undated = {"statement_id": "s0", "billing_date": "2026-02-10"}, {"statement_id": "s2"}
    delivered = document(before, BILL, undated)
    assert [row["statement_key"] for row in rows("statements", delivered, "2026-02-11")] == ["s1", "s2"]
    assert [row["statement_key"] for row in rows("charges", delivered, "2026-02-11")] == ["s1"]
    (account,) = rows("accounts", delivered, "2026-02-11")
    assert (account["statement_count"], account["first_billing_date"]) == (2, "2026-02-11")
    assert len(rows("sustainability", delivered, "2026-02-11")[0]["statements"]) == 3


def test_every_record_has_its_key_columns_as_text() -> None:
    """A destination upserts by them."""
    delivered = document(BILL, {}, {"charges": [{}], "payments": [{}]})
    for name, stream in STREAMS.items():
        for row in rows(name, delivered):
            assert all(isinstance(row[column], str) for column in stream.primary_key), name


def test_unchanged_bills_are_not_projected() -> None:
    """A part makes its rows only when they are asked for."""
    (account,) = document(BILL).accounts()
    parts = STREAMS["statements"].parts
    assert parts is not None
    (part,) = parts(Delivery(None, document(BILL), account, None)) or []
    assert (part.billing_date, part.fingerprint) == ("2026-02-11", f"{account.statements[0].content_hash} s1")


def test_the_catalog_names_every_stream_with_key_and_cursor() -> None:
    """In the order of the documentation; all can be read in both modes."""
    streams = catalog_streams()
    assert [stream.name for stream in streams] == [
        *("sustainability", "accounts", "statements", "charges", "payments", "connections", "statement_files"),
    ]
    assert {stream.name: stream.source_defined_primary_key for stream in streams} == {
        "sustainability": [["connection_key"], ["account_number"]],
        "accounts": [["connection_key"], ["account_number"]],
        "statements": [["connection_key"], ["account_number"], ["statement_key"]],
        "charges": [["connection_key"], ["account_number"], ["statement_key"], ["charge_key"]],
        "payments": [["connection_key"], ["account_number"], ["statement_key"], ["payment_key"]],
        "connections": [["connection_key"]],
        "statement_files": [["connection_key"], ["account_number"], ["statement_key"]],
    }
    assert [stream.name for stream in streams if stream.is_file_based] == ["statement_files"]
    for stream in streams:
        assert stream.supported_sync_modes == [SyncMode.full_refresh, SyncMode.incremental]
        assert (stream.source_defined_cursor, stream.default_cursor_field) == (True, ["observed_at"])
        assert stream.is_resumable is False
