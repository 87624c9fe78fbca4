"""What becomes of personal data in each mode, value by value and bill by bill."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_linkless.bills import Document, Personal, read_document
from source_linkless.bills.bill import Bill, read_bill
from source_linkless.bills.columns import STATEMENT
from source_linkless.bills.findings import Findings
from source_linkless.bills.personal import KEEP, PERSONAL_COLUMNS
from source_linkless.config import parse_config
from source_linkless.streams import STREAMS
from source_linkless.sync.changes import StreamChanges
from testing.deliveries import Connection
from testing.deliveries import delivered as deliver
from testing.fuzzing import examples
from testing.raw_forms import form
from testing.record_rules import validator
from testing.strange_json import envelopes

KEY = "a key of sixteen or more"
HASH, DROP = Personal("hash", KEY), Personal("drop", KEY)
PRIVATE = (HASH, DROP)

BILL: dict[str, Any] = {
    "statement_id": "s1",
    "account_number": "100200300",
    "customer_name": "Ada Example",
    "customer_number": "C-1",
    "billing_address": "Ada Example\n1 Main St",
    "billing_date": "2026-02-11",
    "total_due_amount": 12.5,
    "meter_number": "M-77",
    "corrections": [{"to": "Ada Example"}],
    "charges": [{"charge_name": "Energy", "amount": 1.5}, {"charge_name": "Tax", "amount": 2, "meter": "M-77"}],
    "payments": [{"date": "2026-02-01T00:00:00", "amount": 3, "payer": "Ada Example"}, "Ada Example"],
}


def content(bill: Any, personal: Personal = HASH) -> Bill:
    """Return a bill as it is read in a mode, before its values are replaced."""
    return read_bill(orjson.dumps(bill), Findings(), is_kept=personal.is_kept)


def document(envelope: Any, personal: Personal) -> Document:
    """Return a document as it is read in a mode."""
    return read_document(orjson.dumps(envelope), personal)


@pytest.mark.parametrize("personal", PRIVATE)
def test_a_pseudonym_is_a_keyed_hash_of_column_and_value(personal: Personal) -> None:
    """The documented recipe: a person with the key can find the rows of a number."""
    recipe = hmac.new(KEY.encode(), b"account_number\x00100200300", hashlib.sha256).hexdigest()[:32]
    assert personal.account_number("100200300") == recipe
    assert (
        HASH.bill(content(BILL)).values["customer_name"]
        == (hmac.new(KEY.encode(), b"customer_name\x00Ada Example", hashlib.sha256).hexdigest()[:32])
    )


def test_nothing_is_changed_where_data_is_kept() -> None:
    """Not even copied: the usual way costs nothing."""
    bill = content(BILL, KEEP)
    assert KEEP.bill(bill) is bill
    assert (KEEP.account_number("1"), KEEP.mark()) == ("1", None)


def test_the_empty_number_stays_empty() -> None:
    """An account that nothing identifies is no person."""
    assert [personal.account_number("") for personal in (KEEP, HASH, DROP)] == ["", "", ""]


@examples(100)
@given(st.text(min_size=1), st.text(min_size=1))
def test_accounts_are_told_apart_as_before(one: str, other: str) -> None:
    """Two numbers share a pseudonym exactly when they are the same text: nothing is normalised."""
    assert (HASH.account_number(one) == HASH.account_number(other)) == (one == other)
    assert HASH.account_number(one) == DROP.account_number(one) != one


def test_the_same_text_in_two_columns_has_two_pseudonyms() -> None:
    """The pseudonyms do not tell that a customer number is an account number too."""
    same = dict.fromkeys(PERSONAL_COLUMNS, "100200300")
    found = {HASH.bill(content(same)).values[column] for column in PERSONAL_COLUMNS}
    assert len(found | {HASH.account_number("100200300")}) == 4


def test_another_key_makes_other_pseudonyms_and_another_mark() -> None:
    """One key tells nothing about rows of another."""
    other = Personal("hash", KEY + "!")
    assert other.account_number("1") != HASH.account_number("1")
    assert len({personal.mark() for personal in (KEEP, HASH, DROP, other)}) == 4
    assert other.bill(content(BILL)).content_hash != HASH.bill(content(BILL)).content_hash


@pytest.mark.parametrize(("personal", "named"), [(HASH, PERSONAL_COLUMNS), (DROP, frozenset[str]())])
def test_a_bill_keeps_its_columns_and_nothing_else(personal: Personal, named: frozenset[str]) -> None:
    """What has no column, or an unpublished shape, is gone before any row or key is made."""
    bill = personal.bill(content(BILL))
    assert bill.values.keys() == {"statement_id", "billing_date", "total_due_amount"} | named
    assert (bill.fields, bill.arrays, bill.other) == ({}, {}, {})
    assert bill.charges.values == [BILL["charges"][0], {"charge_name": "Tax", "amount": 2}]
    assert bill.payments.values == [{"date": "2026-02-01", "amount": 3}]
    assert bill.payments.texts == [b'"amount":3,"date":"2026-02-01"']
    assert b"Ada" not in orjson.dumps([bill.values, bill.content_hash, *map(bytes.decode, bill.payments.rests)])


@pytest.mark.parametrize("personal", PRIVATE)
def test_a_value_of_another_type_goes_nowhere(personal: Personal) -> None:
    """What its column cannot hold would be free text."""
    untyped = {column: {"name": "Ada Example"} for column in STATEMENT.readers}
    bill = personal.bill(content(untyped))
    assert (bill.fields, bill.values, bill.other, bill.charges.rests) == ({}, {}, {}, [])


@pytest.mark.parametrize("personal", PRIVATE)
def test_every_change_of_a_bill_is_noticed(personal: Personal) -> None:
    """The hash is one of everything the provider said, with a key: a short bill cannot be guessed from it."""
    hashes = {personal.bill(content({**BILL, "meter_number": number})).content_hash for number in ("M-77", "M-78")}
    assert len(hashes) == 2
    assert hashes.isdisjoint({content({**BILL, "meter_number": number}).content_hash for number in ("M-77", "M-78")})
    assert {len(one) for one in hashes} == {64}


def test_every_text_of_a_bill_was_judged() -> None:
    """A new column that holds text must be put into one of these groups."""
    bill_texts = {"statement_id", "statement_number", "currency_code"}
    readers = STATEMENT.readers
    texts = {name for name, reader in readers.items() if reader is readers["customer_name"]}
    assert texts == PERSONAL_COLUMNS | bill_texts | {"account_number"}


@pytest.mark.parametrize("personal", PRIVATE)
def test_a_document_that_was_read_holds_no_number_and_no_free_text(personal: Personal) -> None:
    """Account numbers are pseudonyms wherever they came from: the account, its `account_id`, or its bills."""
    accounts = [
        {"account_number": "1", "site": "Ada", "statements": [BILL]},
        {"account_id": 22, "statements": []},
        {"statements": [{**BILL, "account_number": "333"}]},
        {"statements": [{**BILL, "account_number": "4444"}, {**BILL, "account_number": "55555"}]},
        {"account_number": "1", "statements": [BILL]},
        {},
    ]
    read = document({"source_name": "Power", "owner": "Ada", "accounts": accounts}, personal)
    numbers = [*map(personal.account_number, ("1", "22", "333", "4444", "55555")), ""]
    assert [account.number for account in read.accounts()] == numbers
    assert read.other_fields == {}
    assert [account.other_fields for account in read.accounts()] == [{}] * 6
    assert [len(account.statements) for account in read.accounts()] == [1, 0, 1, 1, 1, 0]


def test_a_bill_is_the_same_bill_in_every_mode() -> None:
    """Its identifiers are sent; without any, its key is made of the pseudonym of its account."""
    anonymous = {"billing_date": "2026-02-11", "billing_period_end_date": "soon"}
    for bill, basis in ((BILL, "statement_id"), ({"statement_number": 7}, "statement_number"), (anonymous, "content")):
        keys = []
        for personal in (KEEP, HASH, DROP):
            (account,) = document({"accounts": [{"account_number": "1", "statements": [bill]}]}, personal).accounts()
            (statement,) = account.statements
            assert statement.key_basis == basis
            keys.append(statement.key)
        assert keys[1] == keys[2]
        assert (keys[0] == keys[1]) == (basis != "content")


def test_a_large_account_is_protected_each_time_it_is_decoded() -> None:
    """Bills that are not kept in memory are read again, and come back the same."""
    bills = [{**BILL, "statement_id": f"s{number}", "note": "x" * 100_000} for number in range(45)]
    (account,) = document({"accounts": [{"account_number": "1", "statements": bills}]}, HASH).accounts()
    first = account.statements[0]
    assert first.content() is not first.content()
    assert first.content() == HASH.bill(content(bills[0]))


@pytest.mark.parametrize("personal", PRIVATE)
def test_a_warning_names_no_field_that_could_be_a_number(personal: Personal) -> None:
    """The name of an unknown field is as free as its value, and no stream can show either."""
    unknown = document({"Ada_Example": [{}]}, personal)
    assert unknown.warning == (
        "the document has a shape that the connector does not know, and 'personal_data' keeps the stream "
        "sustainability from showing it"
    )
    assert not unknown.is_readable
    assert [account.is_readable for account in unknown.accounts()] == [False]


@examples(100)
@given(envelopes, st.sampled_from(PRIVATE))
def test_every_mode_sends_the_same_rows(sent: Any, personal: Personal) -> None:
    """Whatever the provider says: as many of each, as valid, with nothing of free form; only sustainability is not."""
    envelope = {"accounts": [], **sent}
    for name in ("accounts", "statements", "charges", "payments"):
        kept, protected = (rows(name, document(envelope, mode)) for mode in (KEEP, personal))
        assert len(kept) == len(protected)
        assert [list(validator(name).iter_errors(row)) for row in protected] == [[]] * len(protected)
        assert [row.keys() & {"other_fields", "corrections"} for row in protected] == [set()] * len(protected)
    assert rows("sustainability", document(envelope, personal)) == []


def rows(stream: str, delivered: Document) -> list[dict[str, Any]]:
    """Return all rows of a document in a stream."""
    first = StreamChanges(STREAMS[stream], None, start_date=None)
    return list(deliver(first, Connection("hq", "c-1"), delivered, "2026-03-01T06:00:00.000000Z"))


def test_the_pseudonyms_depend_on_their_key_alone() -> None:
    """The secret of the provider can be rotated; space around the key is nobody's wish."""
    rotated = (form(secret=secret, **options(key)) for secret in ("secret-1", "secret-2") for key in (KEY, f" {KEY}\n"))
    assert {Personal.of(parse_config(raw)) for raw in rotated} == {HASH}
    assert Personal.of(parse_config(form(pseudonym_key=KEY))) == KEEP


def options(key: str) -> dict[str, str]:
    """Return the options of the mode hash."""
    return {"personal_data": "hash", "pseudonym_key": key}


def test_the_key_is_shown_by_nothing() -> None:
    """Not by a repr, and not by the mark in the state."""
    assert KEY not in repr(HASH) + str(HASH.mark()) + repr(document({"accounts": []}, HASH))
