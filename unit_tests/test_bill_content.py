"""What a bill says is read in one of two ways; nobody can tell which it was."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec
import orjson
from hypothesis import given
from hypothesis import strategies as st

from source_linkless.bill_content import BillContent, Line, bill_content
from source_linkless.columns import CHARGE, PAYMENT, STATEMENT
from source_linkless.content import WHOLE_BELOW, canonical, make_numbers_plain
from unit_tests.fuzzing import examples
from unit_tests.strange_json import DATES, NUMBERS, STRANGE_TEXTS

ARRAYS = ("charges", "payments", "corrections")
BILL = {
    "statement_id": "s1",
    "customer_name": "Łódź Café Ltd",
    "billing_date": "2026-02-11",
    "billing_period_duration_days": 30,
    "total_due_amount": 12.5,
    "balance_forward": 0,
    "currency_code": "USD",
}

_marks = st.sampled_from(["},{", "{}", '"date":', '\\"details\\":', "[", "1.0,", "\\"])
_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(STRANGE_TEXTS) | _marks
_amounts = (
    st.integers(-10_000, 10_000).map(lambda cents: cents / 100)
    | st.sampled_from(NUMBERS)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**63), 2**64 - 1)
)
_values = {"amount": _amounts, "charge_name": _texts, "date": st.sampled_from(DATES), "details": _texts}


def _lines(*names: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    fields = {name: _values[name] for name in names}
    return st.lists(st.fixed_dictionaries({}, optional=fields), max_size=4)


_bills = st.fixed_dictionaries(
    {},
    optional={
        "charges": _lines("amount", "charge_name") | _lines(*_values),
        "payments": _lines("amount", "date", "details") | _lines(*_values),
        "corrections": st.just([]) | _lines(*_values),
        "usage": _texts,
        "total_due_amount": _amounts | st.none() | st.booleans(),
    },
)
"""Bills that are documented, or nearly."""


def otherwise(bill: dict[str, Any]) -> BillContent:
    """Read a bill in the other way: it holds an object that nobody documented."""
    return bill_content(orjson.dumps({**bill, "nobody knows": {}}))


@examples(400)
@given(_bills)
def test_both_ways_read_the_same(bill: dict[str, Any]) -> None:
    """One undocumented field changes neither another field nor a text of which a key is made."""
    one, other = bill_content(orjson.dumps(bill)), otherwise(bill)
    assert {**one.fields, "nobody knows": {}} == other.fields
    assert one.lines.keys() == other.lines.keys() == bill.keys() & {*ARRAYS}
    for name, lines in one.lines.items():
        found = other.lines[name]
        assert not found.documented
        assert [*lines.texts] == found.texts
        assert ([*lines.odd], lines.objects()) == (found.odd, found.objects())
        assert orjson.dumps(lines.unordered()) == orjson.dumps(found.unordered())


@examples(400)
@given(_bills, st.permutations([*ARRAYS, "usage", "total_due_amount"]))
def test_the_hash_is_that_of_its_definition(bill: dict[str, Any], names: list[str]) -> None:
    """SHA-256 of the canonical text, lines in the order of their texts, however the bill was written."""
    said = orjson.loads(orjson.dumps(bill))
    make_numbers_plain(said)
    for name in said.keys() & {*ARRAYS}:
        said[name].sort(key=lambda line: canonical(line)[1:-1])
    sent = json.dumps({name: bill[name] for name in names if name in bill}, indent=1)
    assert bill_content(sent.encode()).content_hash == hashlib.sha256(canonical(said)).hexdigest()


@examples(400)
@given(_bills)
def test_the_text_of_a_bill_is_the_bill(bill: dict[str, Any]) -> None:
    """Nothing is lost, lines keep their order, and only the notation of numbers may be another."""
    said = orjson.loads(orjson.dumps(bill))
    make_numbers_plain(said)
    assert orjson.loads(bill_content(orjson.dumps(bill)).text()) == said


def test_ordinary_bills_are_read_in_the_quick_way() -> None:
    """Two ways are worth their lines only if most bills take the shorter one."""
    charges = [{"charge_name": "Énergie, 1,234 kWh @ $0.12", "amount": 12.0}, {"charge_name": "Tax"}]
    payments = [{"date": "2026-02-11", "details": "Thank you", "amount": -3}]
    bill = {"statement_id": "1", "statement_number": None, "paper": False, "charges": charges, "payments": payments}
    found = bill_content(json.dumps(bill).encode())
    assert [len(lines.documented) for lines in found.lines.values()] == [2, 1]
    assert found.lines["charges"].texts[0] == '"amount":12,"charge_name":"Énergie, 1,234 kWh @ $0.12"'.encode()


def test_a_documented_line_has_the_columns_of_charges_and_payments() -> None:
    """In the order of a canonical text, and all but the currency, for which the bill's is written in its place."""
    declared = {*CHARGE.readers, *PAYMENT.readers} - {"currency_code"}
    assert list(Line.__struct_fields__) == sorted(declared)


@examples(1_000)
@given(st.floats(-(2.0**53), 2.0**53) | _amounts | _texts)
def test_two_libraries_write_the_same(value: object) -> None:
    """Keys are made of what msgspec writes in one way and orjson in the other."""
    if isinstance(value, float | int) and abs(value) >= WHOLE_BELOW:
        return
    assert msgspec.json.encode(value) == orjson.dumps(value)


@examples(400)
@given(
    st.fixed_dictionaries({}, optional={name: st.sampled_from([*DATES, "x", 31, 31.5, 2**63, True]) for name in BILL})
)
def test_a_bill_that_is_copied_would_not_be_changed(said: dict[str, Any]) -> None:
    """What `hold` lets through has no value that another column, or none, should have."""
    if STATEMENT.hold(orjson.dumps(said)):
        assert STATEMENT.split(said) == (said, {})


def test_a_bill_of_the_documentation_is_copied() -> None:
    """Otherwise nothing would be saved."""
    assert STATEMENT.hold(orjson.dumps(BILL))
    assert not STATEMENT.hold(orjson.dumps({**BILL, "meter": 1}))
    assert not STATEMENT.hold(orjson.dumps({**BILL, "billing_date": "2026-02-11T00:00:00"}))
