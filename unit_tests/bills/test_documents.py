"""The shape of a document: whose bills they are, what identifies them, and that nothing gets lost."""

from __future__ import annotations

import hashlib
import json
import random
import traceback
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_linkless.bills import Account, Document, UnreadableDocument, read_document
from testing.fuzzing import examples
from testing.histories import scrambled, shuffled

Bill = dict[str, Any]

PERIOD = {
    "billing_date": "2026-02-11",
    "billing_period_start_date": "2026-01-10",
    "billing_period_end_date": "2026-02-10",
}


def read(*accounts: Any, **envelope: Any) -> Document:
    """Return the document of an envelope with these accounts."""
    return read_document(json.dumps({"accounts": list(accounts), **envelope}).encode())


def account_of(*bills: Any, number: Any = "A") -> Account:
    """Return the only account of a document with these bills."""
    (account,) = read({"account_number": number, "statements": list(bills)}).accounts()
    return account


def hashes(*bills: Any) -> list[str]:
    """Return the content hash of each bill of an account."""
    return [bill.content_hash for bill in account_of(*bills).statements]


def keys(*bills: Any) -> list[tuple[str, str]]:
    """Return key and basis of each bill of an account."""
    return [(bill.key, bill.key_basis) for bill in account_of(*bills).statements]


def test_a_document_is_its_accounts_and_what_the_envelope_says() -> None:
    """The envelope's names are read; its `username` is a credential and is nowhere."""
    document = read(
        {"account_number": "A", "statements": [PERIOD], "account_id": "x"},
        source_name="Example Power",
        source_country="US",
        username="user@example.com",
        source_type="Electricity",
    )
    assert (document.source_name, document.source_country) == ("Example Power", "US")
    assert document.other_fields == {"source_type": "Electricity"}
    assert next(document.accounts()).other_fields == {"account_id": "x"}
    assert document.warning is None
    assert document.is_readable
    assert "user@example.com" not in repr(document)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"accounts": [{"account_number": "100200300"', id="cut off"),
        pytest.param(b"<html>100200300</html>", id="no JSON"),
        pytest.param(b'["100200300"]', id="no object"),
        pytest.param(b'{"message": "Service 100200300 is down"}', id="a message"),
        pytest.param(b'{"errors": [{"code": 100200300}]}', id="errors"),
        pytest.param(b'{"data": {"100200300": 1}, "more": []}', id="nothing that could be accounts"),
        pytest.param(b'{"x":' * 250 + b'"100200300"' + b"}" * 250, id="deeper than a record can be"),
    ],
)
def test_what_is_no_document_is_refused_without_a_word_of_it(body: bytes) -> None:
    """The error says what is wrong and never quotes what the provider sent."""
    with pytest.raises(UnreadableDocument) as refused:
        read_document(body)
    shown = "".join(traceback.format_exception(refused.value))
    assert "100200300" not in shown


@pytest.mark.parametrize("levels", [247, 300, 900, 5_000])
@pytest.mark.parametrize("place", ["usage", "charges", "payments", "corrections"])
def test_a_bill_that_is_nested_too_deeply_is_left_out(place: str, levels: int) -> None:
    """Wherever it is deep, in its fields or in a line: no record could hold it. The bill beside it is read."""
    nested = "[" * levels + "100200300" + "]" * levels
    for value in (nested, f'[{{"x": {nested}}}]'):
        bills = f'[{{"statement_id": "s", "{place}": {value}}}, {{}}]'
        document = read_document(f'{{"accounts": [{{"account_number": "A", "statements": {bills}}}]}}'.encode())
        (account,) = document.accounts()
        assert len(account.statements) == 1
        assert document.findings.lost == [("A", "s", "is nested too deeply")]


@pytest.mark.parametrize("place", ["usage", "charges"])
def test_no_depth_is_more_than_the_stack_can_bear(place: str) -> None:
    """Where Python itself gives up depends on the caller; whatever the depth, the document is read."""
    for levels in range(800, 1_000, 4):
        nested = "[" * levels + "1.0" + "]" * levels
        bill = f'{{"{place}": {nested}}}'
        for account in (f'{{"statements": [{bill}]}}', f'{{"site": {nested}}}'):
            assert list(read_document(f'{{"accounts": [{account}]}}'.encode()).accounts())


def test_a_deep_document_that_a_record_can_hold_is_read() -> None:
    """Nesting alone is no reason to refuse a bill."""
    nested: Any = "deep"
    for _ in range(200):
        nested = [nested]
    assert account_of({**PERIOD, "usage": nested}).statements[0].content().fields["usage"] == nested


@pytest.mark.parametrize(
    ("bill", "expected"),
    [
        ({"statement_id": "id", "statement_number": "no"}, ("id", "statement_id")),
        ({"statement_id": None, "statement_number": "no"}, ("no", "statement_number")),
        ({"statement_id": " ", "statement_number": "no"}, ("no", "statement_number")),
        ({"statement_id": ["id"], "statement_number": "no"}, ("no", "statement_number")),
        ({"statement_id": True, "statement_number": "no"}, ("no", "statement_number")),
        ({"statement_id": 42, "statement_number": "no"}, ("42", "statement_id")),
        ({"statement_id": 42.0}, ("42", "statement_id")),
        ({"statement_id": 0}, ("0", "statement_id")),
    ],
)
def test_a_bill_is_known_by_its_id_or_else_by_its_number(bill: Bill, expected: tuple[str, str]) -> None:
    """What identifies nothing is passed over; a number is an identifier as text."""
    assert keys(bill) == [expected]


def test_a_bill_without_either_is_known_by_account_date_and_period() -> None:
    """Its key does not move when an amount is corrected."""
    content = b'["A","2026-02-11","2026-01-10","2026-02-10"]'
    expected = (hashlib.sha256(content).hexdigest()[:32], "content")
    assert keys(PERIOD) == keys({**PERIOD, "total_due_amount": 5}) == [expected]
    assert account_of(PERIOD, number="B").statements[0].key != expected[0]


def test_identical_bills_are_one() -> None:
    """The same bill twice, differently written, is sent once."""
    assert len(account_of({**PERIOD, "balance_forward": 1}, {"balance_forward": 1.0, **PERIOD}).statements) == 1


def test_different_bills_under_one_key_are_numbered_by_content() -> None:
    """Whatever their order, the earlier one keeps the key."""
    january, february = {"statement_id": "s", "billing_date": "2026-01-11"}, {"statement_id": "s", **PERIOD}
    for bills in ((january, february), (february, january)):
        dates = {bill.key: bill.billing_date for bill in account_of(*bills).statements}
        assert dates == {"s": "2026-01-11", "s~2": "2026-02-11"}


def test_a_key_that_looks_numbered_is_numbered_too() -> None:
    """So the second bill of `s` and the bill `s~2` stay apart."""
    bills = [{"statement_id": "s"}, {"statement_id": "s", "x": 1}, {"statement_id": "s~2"}]
    assert {key for key, _ in keys(*bills)} == {"s", "s~2", "s~2~1"}


def test_an_id_and_a_number_that_are_equal_do_not_share_a_key() -> None:
    """A key is unique within the account whatever it is made of."""
    assert sorted(keys({"statement_id": "s"}, {"statement_number": "s"})) in (
        [("s", "statement_id"), ("s~2", "statement_number")],
        [("s", "statement_number"), ("s~2", "statement_id")],
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param({"a": 1, "b": 2}, {"b": 2, "a": 1}, id="order of names"),
        pytest.param({"a": 12}, {"a": 12.0}, id="whole numbers"),
        pytest.param({"usage": [{"a": [1.0]}]}, {"usage": [{"a": [1]}]}, id="whole numbers within"),
        pytest.param({"charges": [1, {"a": 2}]}, {"charges": [{"a": 2.0}, 1]}, id="order of charges"),
        pytest.param({"payments": [{"a": 1}, {"a": 2}]}, {"payments": [{"a": 2}, {"a": 1}]}, id="order of payments"),
        pytest.param({"corrections": ["b", "a"]}, {"corrections": ["a", "b"]}, id="order of corrections"),
    ],
)
def test_two_ways_to_say_the_same_have_one_hash(first: Bill, second: Bill) -> None:
    """The content hash changes when the content does, and at no other time."""
    assert hashes(first) == hashes(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param({"a": 0.1}, {"a": 0.10000000000000002}, id="the last digit"),
        pytest.param({"a": "12"}, {"a": 12}, id="text and number"),
        pytest.param({"a": 1}, {"a": True}, id="number and truth"),
        pytest.param({"a": None}, {}, id="null and nothing"),
        pytest.param({"usage": [1, 2]}, {"usage": [2, 1]}, id="order of readings"),
        pytest.param({"charges": [{"a": 1}]}, {"charges": [{"a": 1}, {"a": 1}]}, id="a line twice"),
        pytest.param({"charges": ['{"a":1}']}, {"charges": [{"a": 1}]}, id="text that looks like a line"),
        pytest.param({"charges": []}, {}, id="no lines and nothing"),
    ],
)
def test_different_contents_have_different_hashes(first: Bill, second: Bill) -> None:
    """Nothing that could be a correction is overlooked."""
    assert hashes(first) != hashes(second)


def test_the_hash_is_the_same_in_every_process() -> None:
    """It is SHA-256 of the canonical text, so a state or a warehouse of last year still compares."""
    (bill,) = account_of({"b": 1.50, "a": "é", "charges": [{"c": 2.0}, {"c": 1}]}).statements
    assert bill.content_hash == hashlib.sha256('{"a":"é","b":1.5,"charges":[{"c":1},{"c":2}]}'.encode()).hexdigest()


def test_money_arrives_as_sent() -> None:
    """No arithmetic touches an amount; a whole amount may lose its point but never its value."""
    (bill,) = account_of({"a": 12.30, "b": 0.1, "c": 9007199254740993, "d": -0.0, "e": 5e-324}).statements
    assert orjson.dumps(bill.content().fields) == b'{"a":12.3,"b":0.1,"c":9007199254740993,"d":0,"e":5e-324}'


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("2026-02-11", "2026-02-11"),
        ("2026-02-11T00:00:00", "2026-02-11"),
        ("2026-02-11T00:00:00.000", "2026-02-11"),
        ("2026-02-11T00:00:00Z", "2026-02-11"),
        ("2026-02-11T00:00:00.000+00:00", "2026-02-11"),
        ("2026-02-11 00:00:00", "2026-02-11"),
        ("2026-02-11T00:00:00-0000", "2026-02-11"),
        ("2026-02-11T00:00:00-05:00", None),
        ("0001-01-01", None),
        ("0001-01-01T00:00:00Z", None),
        ("0000-00-00", None),
        ("1900-01-01", None),
        ("2026-02-11T01:00:00", None),
        ("2026-02-30", None),
        ("20260211", None),
        ("11.02.2026", None),
        (1739232000, None),
        ("", None),
    ],
)
def test_a_billing_date_is_a_plain_date(sent: Any, expected: str | None) -> None:
    """A date is never shifted: what would need a zone to become one is none."""
    assert account_of({"billing_date": sent}).statements[0].billing_date == expected


def test_accounts_with_one_number_are_one_account() -> None:
    """Their bills are united, their fields too; where they disagree, both values are kept."""
    first = {"account_number": "A", "statements": [{"statement_id": "1"}], "site": "North", "meter": 7}
    second = {"account_number": "A", "statements": [{"statement_id": "2"}], "site": "South", "meter": 7.0}
    for order in ([first, second], [second, first]):
        (account,) = read(*order).accounts()
        assert {bill.key for bill in account.statements} == {"1", "2"}
        assert account.other_fields == {"site": ["North", "South"], "meter": 7}


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"account_number": "A", "account_id": "x"}, "A"),
        ({"account_number": 123}, "123"),
        ({"account_number": None, "account_id": "x"}, "x"),
        ({"account_number": "", "account_id": 5}, "5"),
        ({"statements": [{"account_number": "S"}, {}]}, "S"),
        ({"accountNumber": "N"}, "N"),
        ({"AccountID": 12345678901234567890123}, "12345678901234567890123"),
        ({"statements": []}, ""),
        ({}, ""),
    ],
)
def test_an_account_always_has_a_number_that_is_text(sent: Bill, expected: str) -> None:
    """Its own, else `account_id`, else the number on its bills, else the empty text."""
    (account,) = read(sent).accounts()
    assert account.number == expected


@pytest.mark.parametrize("number", ["no", "number", {"value": "x"}, ["x"], 1.5, None])
def test_accounts_never_merge_because_their_number_was_not_understood(number: Any) -> None:
    """Accounts without any number that say different things are told apart by what they say, in any order."""
    accounts = [{"acct_no": [number, name], "statements": [{"statement_id": name}]} for name in ("x", "y")]
    found, again = ([*read(*order).accounts()] for order in (accounts, accounts[::-1]))
    assert len({account.number for account in found}) == 2
    assert {account.number for account in found} == {account.number for account in again}
    assert [bill.key for account in found for bill in account.statements] == ["x", "y"]


def test_a_nameless_account_with_bills_of_several_accounts_is_divided() -> None:
    """Each bill goes to the account that is printed on it."""
    bills = [{"account_number": "S"}, {"account_number": "T"}, {"statement_id": "?"}]
    accounts = read({"statements": bills, "site": "North"}).accounts()
    sent = {account.number: [one.content().fields for one in account.sent or ()] for account in accounts}
    assert sent == {"S": bills[:1], "T": bills[1:2], "": bills[2:]}
    assert all(account.other_fields == {"site": "North"} for account in accounts)


def test_wrongly_typed_fields_are_kept_and_break_nothing() -> None:
    """A value that its place cannot hold, and an item that is no object, stay under their own names."""
    document = read(
        {"account_number": 123, "statements": [{"statement_id": "1"}, "odd"]},
        "odd",
        source_name=["Example"],
        source_country=None,
    )
    assert document.source_name is None
    assert document.other_fields == {"source_name": ["Example"], "accounts": ["odd"]}
    (account,) = document.accounts()
    assert account.other_fields == {"statements": ["odd"]}
    assert [bill.key for bill in account.statements] == ["1"]
    assert document.warning is None


@pytest.mark.parametrize("body", [b"{}", b'{"accounts": []}', b'{"accounts": null}', b'{"source_name": "Example"}'])
def test_an_empty_document_has_no_accounts_and_no_warning(body: bytes) -> None:
    """Nothing is a result, not an unknown shape."""
    document = read_document(body)
    assert ([*document.accounts()], document.warning, document.is_readable) == ([], None, True)


@pytest.mark.parametrize("statements", [{}, {"statements": None}, {"statements": []}])
def test_an_account_without_bills_is_an_account(statements: Bill) -> None:
    """It has a number and nothing else, and that can be read."""
    (account,) = read({"account_number": "A", "site": "North", **statements}).accounts()
    assert account.is_readable
    assert account.statements == ()


def test_the_older_invoices_shape_is_named_and_kept() -> None:
    """Its accounts are recognised, its invoices are kept as they are, and the warning says why no bills come."""
    invoices = [{"invoice_number": "100200300"}]
    document = read({"account_number": "A", "account_id": "x", "invoices": invoices})
    (account,) = document.accounts()
    assert (account.number, account.is_readable, account.statements) == ("A", False, ())
    assert account.other_fields == {"account_id": "x", "invoices": invoices}
    assert document.warning == (
        "the document has the older invoices shape (accounts[].invoices): only the stream sustainability can show it"
    )


@pytest.mark.parametrize(
    ("envelope", "names"),
    [
        ({"data": [{"100200300": 1}]}, "data"),
        ({"accounts": {"100200300": {}}}, "accounts"),
        ({"accounts": ["100200300"]}, "accounts"),
        ({"accounts": None, "bills": [{"a": "100200300"}]}, "bills"),
        ({"100 200 300": [{}]}, "a field with an unusual name"),
        ({name: [{}] for name in "gfedcba"}, "a, b, c, d, e, …"),
    ],
)
def test_an_unknown_envelope_is_kept_whole_and_named_without_a_value(envelope: Bill, names: str) -> None:
    """It becomes one account without a number, and the warning shows names of fields only."""
    document = read_document(orjson.dumps({**envelope, "username": "user@example.com"}))
    (account,) = document.accounts()
    assert (account.number, account.is_readable) == ("", False)
    assert document.other_fields == {name: value for name, value in envelope.items() if value is not None}
    assert document.warning == (
        f"the document has an unknown shape ({names}): only the stream sustainability can show it"
    )


@pytest.mark.parametrize("statements", [{"statements": {"a": 1}}, {"statements": ["odd"]}, {"bills": [{}]}])
def test_bills_in_another_place_make_an_account_unreadable(statements: Bill) -> None:
    """An account whose bills we cannot find is not an account without bills."""
    document = read({"account_number": "A", **statements}, {"account_number": "B", "statements": []})
    assert [account.is_readable for account in document.accounts()] == [False, True]
    assert next(document.accounts()).other_fields == statements
    assert document.warning is not None
    assert not document.is_readable


_scalars = st.sampled_from(["s1", "s2", "s1~2", "", None, 1, 1.0, 12.3, True])
_values = st.recursive(_scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just("x"), inner))
_bills = st.dictionaries(
    st.sampled_from(
        ["statement_id", "statement_number", "account_number", "billing_date", "charges", "payments", "usage"]
    ),
    _values,
)
_accounts = st.dictionaries(
    st.sampled_from(["account_number", "account_id", "statements", "invoices", "site"]),
    _values | st.lists(_bills | _scalars, max_size=4),
)
_envelopes = st.dictionaries(
    st.sampled_from(["source_name", "accounts", "data"]), _values | st.lists(_accounts | _scalars, max_size=3)
)


@examples(100)
@given(_envelopes)
def test_keys_are_unique_text_in_any_document(envelope: Bill) -> None:
    """Whatever JSON arrives, accounts and bills have keys that no other of their kind has."""
    try:
        document = read_document(orjson.dumps(envelope))
    except UnreadableDocument:
        assert "accounts" not in envelope
        return
    numbers = [account.number for account in document.accounts()]
    assert len(set(numbers)) == len(numbers)
    for account in document.accounts():
        names = [bill.key for bill in account.statements]
        assert len(set(names)) == len(names)
        assert all(names)


@examples(100)
@given(st.lists(_bills, max_size=6), st.integers(0, 999))
def test_keys_and_hashes_depend_on_content_alone(bills: list[Bill], seed: int) -> None:
    """The same bills in another order and notation are the same keys with the same hashes."""
    dice = random.Random(seed)  # noqa: S311 - repeatable, not cryptography
    account = {"account_number": "A", "statements": bills}
    again = scrambled({"accounts": [{**account, "statements": shuffled(bills, dice)}]}, dice).encode()
    first, second = (
        {(bill.key, bill.key_basis, bill.content_hash) for found in document.accounts() for bill in found.statements}
        for document in (read(account), read_document(again))
    )
    assert first == second
