"""What a bill says, and what its lines say, is read in one of two ways; nobody can tell which it was."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_linkless.bills.bill_content import AnyBill, BillContent, any_bill
from source_linkless.bills.content import WHOLE_BELOW, canonical, make_numbers_plain
from source_linkless.bills.documented import DocumentedBill, bill_content
from testing.fuzzing import examples
from testing.strange_json import DATES, NUMBERS, STRANGE_TEXTS

LINES = ("charges", "payments", "corrections")
BILL: dict[str, Any] = {
    "statement_id": "s1",
    "statement_number": None,
    "account_number": "A",
    "customer_name": "Łódź Café Ltd",
    "billing_date": "2026-02-11",
    "billing_period_duration_days": 30,
    "total_due_amount": 12.5,
    "balance_forward": 3.0,
    "currency_code": "USD",
    "charges": [{"charge_name": "Énergie, 1,234 kWh @ $0.12", "amount": 12.0}, {"charge_name": "Tax"}],
    "payments": [{"date": "2026-02-11", "details": "Thank you", "amount": -3}],
    "corrections": [],
}

_marks = st.sampled_from(["},{", "{}", '"date":', "[", "1.0,", "\\"])
_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(STRANGE_TEXTS) | _marks
_amounts = (
    st.integers(-10_000, 10_000).map(lambda cents: cents / 100)
    | st.sampled_from(NUMBERS)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**63), 2**64 - 1)
)
_dates = st.sampled_from(DATES)


_charges = st.lists(st.fixed_dictionaries({}, optional={"amount": _amounts, "charge_name": _texts}), max_size=4)
_payments = st.lists(
    st.fixed_dictionaries({}, optional={"amount": _amounts, "date": st.just("2026-02-11"), "details": _texts}),
    max_size=4,
)
_odd_lines = st.lists(
    st.fixed_dictionaries(
        {}, optional={"amount": _amounts | _texts, "charge_name": _texts, "date": _dates, "currency_code": _texts}
    ),
    max_size=3,
)
_optional: dict[str, st.SearchStrategy[Any]] = {
    "statement_id": _texts | st.none(),
    "account_number": st.sampled_from(["A", "B", None]),
    "billing_date": st.just("2026-02-11") | _dates | st.none(),
    "billing_period_duration_days": st.sampled_from([30, 30, 31.0, None, 2**60]),
    "total_due_amount": _amounts | st.none(),
    "balance_forward": _amounts,
    "currency_code": _texts | st.none(),
    "charges": _charges | _charges | _odd_lines | st.none(),
    "payments": _payments | _payments | _odd_lines | _charges,
    "corrections": st.just([]) | st.just([]) | _odd_lines,
}
_bills = st.fixed_dictionaries({}, optional=_optional)
"""Bills that are documented, or nearly."""


def read(bill: dict[str, Any]) -> BillContent:
    """Read a bill as it comes."""
    return bill_content(orjson.dumps(bill))


def read_otherwise(bill: dict[str, Any]) -> BillContent:
    """Read a bill, and its lines, in the other way; it holds an object that nobody documented."""
    return any_bill(orjson.dumps({**bill, "nobody knows": {}}), {})


def row(bill: BillContent) -> dict[str, Any]:
    """Return the row of a bill of account A, without the field that made it be read otherwise."""
    found: dict[str, Any] = orjson.loads(b"{%b}" % bill.row("A"))
    other = found.pop("other_fields", {})
    other.pop("nobody knows", None)
    return found | ({"other_fields": other} if other else {})


@examples(500)
@given(_bills)
def test_both_ways_say_the_same(bill: dict[str, Any]) -> None:
    """One undocumented field changes no other field, no row, and no text of which a key is made."""
    one, other = read(bill), read_otherwise(bill)
    assert not isinstance(other, DocumentedBill)
    assert {**one.fields, "nobody knows": {}} == other.fields
    assert [one.get(name) for name in _optional.keys() - {*LINES}] == [
        other.get(name) for name in _optional.keys() - {*LINES}
    ]
    assert row(one) == row(other)
    assert one.lines.keys() == other.lines.keys() == {name for name in LINES if isinstance(bill.get(name), list)}
    for name, lines in one.lines.items():
        found = other.lines[name]
        assert not found.documented
        assert [*lines.texts] == [*found.texts]
        assert ([*lines.odd], lines.objects()) == ([*found.odd], found.objects())
        assert lines.unordered() == found.unordered()


@examples(500)
@given(_bills)
def test_documented_lines_of_any_bill_say_the_same(bill: dict[str, Any]) -> None:
    """What is undocumented about a bill, or about some of its lines, makes no difference to the rest of it."""
    one, other = read({**bill, "nobody knows": {}}), read_otherwise(bill)
    assert isinstance(one, AnyBill)
    assert one.lines.keys() == other.lines.keys()
    for name, lines in one.lines.items():
        assert ([*lines.texts], lines.array()) == ([*other.lines[name].texts], other.lines[name].array())
    assert (one.fields, row(one), one.content_hash) == (other.fields, row(other), other.content_hash)
    assert orjson.loads(one.text()) == orjson.loads(other.text())


@examples(500)
@given(_bills, st.permutations([*_optional]))
def test_the_hash_is_that_of_its_definition(bill: dict[str, Any], names: list[str]) -> None:
    """SHA-256 of the canonical text, lines in the order of their texts, however the bill was written."""
    said = orjson.loads(orjson.dumps(bill))
    make_numbers_plain(said)
    for name in {name for name in LINES if isinstance(said.get(name), list)}:
        said[name].sort(key=lambda line: canonical(line)[1:-1])
    sent = json.dumps({name: bill[name] for name in names if name in bill}, indent=1)
    assert bill_content(sent.encode()).content_hash == hashlib.sha256(canonical(said)).hexdigest()


@examples(500)
@given(_bills)
def test_the_text_of_a_bill_is_the_bill(bill: dict[str, Any]) -> None:
    """Nothing is lost, lines keep their order, and only the notation of numbers may be another."""
    said = orjson.loads(orjson.dumps(bill))
    make_numbers_plain(said)
    found = read(bill)
    found.row("A")
    assert orjson.loads(found.text()) == said


@pytest.mark.parametrize("name", BILL)
def test_a_documented_bill_is_read_into_types(name: str) -> None:
    """With every field, or without any one of them: two ways are worth their lines only if most take the shorter."""
    for bill in (BILL, {other: value for other, value in BILL.items() if other != name}):
        found = read(bill)
        assert isinstance(found, DocumentedBill)
        assert all(bool(lines.documented) is bool(lines.texts) for lines in found.lines.values())


@pytest.mark.parametrize(
    "odd",
    [
        {"billing_date": "2026-02-11T00:00:00"},
        {"billing_date": "2026-02-30"},
        {"total_due_amount": 2.0**53},
        {"total_due_amount": "12.50"},
        {"corrections": [{}]},
        {"charges": [{"charge_name": "Tax", "currency_code": "CAD"}]},
        {"charges": [{"charge_name": None}]},
        {"payments": [{"date": "yesterday"}]},
        {"meter": "M-1"},
    ],
)
def test_what_is_not_documented_is_read_otherwise(odd: dict[str, Any]) -> None:
    """A type that cannot hold it must not bend it."""
    assert not isinstance(read({**BILL, **odd}), DocumentedBill)


@pytest.mark.parametrize(
    ("odd", "typed"),
    [
        ({"meter": "M-1"}, {"charges", "payments"}),
        ({"billing_date": "yesterday"}, {"charges", "payments"}),
        ({"corrections": [{"amount": 1}]}, {"charges", "payments"}),
        ({"payments": [{"date": "yesterday"}]}, {"charges"}),
        ({"charges": None, "meter": "M-1"}, {"payments"}),
        ({"charges": "none"}, {"payments"}),
    ],
)
def test_documented_lines_of_any_bill_are_read_into_types(odd: dict[str, Any], typed: set[str]) -> None:
    """A field that comes new from the provider must not make a sync twice as slow."""
    found = read({**BILL, **odd})
    assert isinstance(found, AnyBill)
    assert {name for name, lines in found.lines.items() if lines.documented} == typed


@examples(1_000)
@given(st.floats(-(2.0**53), 2.0**53) | _amounts | _texts)
def test_two_libraries_write_the_same(value: object) -> None:
    """Keys are made of what msgspec writes in one way and orjson in the other."""
    if isinstance(value, float | int) and abs(value) >= WHOLE_BELOW:
        return
    assert msgspec.json.encode(value) == orjson.dumps(value)
