"""Unexpected JSON: values of every kind, documents that are nearly right, texts that are nearly JSON."""

from __future__ import annotations

import copy
import functools
import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import strategies as st

from source_linkless.bills import columns
from testing.histories import shuffled

LONG = "very long text " * 700
# Line ends of other standards, what templates and SQL stumble over, what looks like our own keys.
STRANGE_TEXTS = ("", " ", "\u2028\u2029\x85", "\x00", "\U0001f600", "'\"\\;--{{x}}", "__proto__", "s~2", "~1", LONG)
DATES = ("2026-02-11", "2026-02-30", "0001-01-01", "9999-12-31", "2026-02-11T00:00:00", "2026-02-11T08:00:00Z")
NUMBERS = (0, 1, -1, 31.0, 0.1, -0.0, 12.3, 1e-320, 1.7e308, 2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1)

numbers = st.sampled_from(NUMBERS) | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
texts = st.sampled_from((*STRANGE_TEXTS, *DATES)) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
scalars = st.none() | st.booleans() | numbers | texts
_names = st.sampled_from(["a", "", "accounts", "statements", "username", "other_fields", "snapshot_at", "\u2028"])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names | texts, inner, max_size=3),
    max_leaves=6,
)


def _nested(leaf: Any, depth: int) -> Any:
    for level in range(depth):
        leaf = [leaf] if level % 2 else {"n": leaf}
    return leaf


deep = st.builds(_nested, scalars, st.integers(20, 200))
anything = values | values | values | deep


def _object(
    readers: Mapping[str, Any], *, more: tuple[str, ...] = (), **nested: Any
) -> st.SearchStrategy[dict[str, Any]]:
    """Return objects with some of the declared fields, each of any type, and with undeclared fields."""
    fields = {name: nested.get(name, scalars) | anything for name in (*readers, *more)}
    strangers = st.dictionaries(_names | texts, anything, max_size=1)
    return st.builds(lambda known, unknown: {**unknown, **known}, st.fixed_dictionaries({}, optional=fields), strangers)


_identifiers = st.sampled_from(["s1", "s1", "s2", "s1~2", 7, 7.0, None])
_account_numbers = st.sampled_from(["A", "A", "B", "A~2", 7, 7.0, None])
_lines = st.lists(_object({**columns.CHARGE.readers, **columns.PAYMENT.readers}) | scalars, max_size=3)
_bills = _object(
    columns.STATEMENT.readers,
    more=("usage",),
    statement_id=_identifiers,
    statement_number=_identifiers,
    billing_date=st.sampled_from(DATES),
    charges=_lines,
    payments=_lines,
    corrections=_lines,
)
_accounts = _object(
    columns.ACCOUNT.readers,
    more=("account_id", "invoices"),
    account_number=_account_numbers,
    statements=st.lists(_bills, max_size=3),
)
envelopes = _object(columns.DOCUMENT.readers, more=("username",), accounts=st.lists(_accounts, max_size=3))
"""Nearly documents: every field may be missing, null or of another type."""


_with_bills = st.builds(
    lambda account, bills: {**account, "statements": bills}, _accounts, st.lists(_bills, max_size=3)
)
orderly = st.builds(
    lambda envelope, accounts: {**envelope, "accounts": accounts}, envelopes, st.lists(_with_bills, max_size=3)
)
"""Documents whose accounts all have a list of bills where it belongs."""


@st.composite
def repeating(draw: st.DrawFn) -> dict[str, Any]:
    """Return documents that have accounts and bills twice, sometimes with a difference."""
    document = draw(envelopes | orderly)
    accounts = document.get("accounts")
    if isinstance(accounts, list) and accounts:
        accounts.append(_twin(draw, accounts))
        for bills in (account.get("statements") for account in accounts if isinstance(account, dict)):
            if isinstance(bills, list) and bills:
                bills.append(_twin(draw, bills))
    return document


def _twin(draw: st.DrawFn, items: list[Any]) -> Any:
    twin = draw(st.sampled_from(items))
    return {**twin, **draw(st.dictionaries(_names, scalars, max_size=1))} if isinstance(twin, dict) else twin


documents = envelopes | orderly | repeating() | st.dictionaries(_names | texts, anything, max_size=4)
"""Everything that is a JSON object and can be read."""


_UNORDERED: Mapping[str, Mapping[str, str]] = {
    "document": {"accounts": "account"},
    "account": {"statements": "bill"},
    "bill": dict.fromkeys(("charges", "payments", "corrections"), "line"),
}


def rearranged(fields: Mapping[str, Any], dice: random.Random, what: str = "document") -> dict[str, Any]:
    """Return an equal document with its names, accounts, bills and lines in another order."""
    unordered = _UNORDERED.get(what, {})
    return {
        name: _rearranged_items(fields[name], dice, unordered[name]) if name in unordered else fields[name]
        for name in shuffled([*fields], dice)
    }


def _rearranged_items(value: Any, dice: random.Random, what: str) -> Any:
    """Shuffle the objects of an array; items that are none keep their order, which may say something."""
    if not isinstance(value, list):
        return value
    objects = iter(shuffled([item for item in value if isinstance(item, dict)], dice))
    return [rearranged(next(objects), dice, what) if isinstance(item, dict) else item for item in value]


_EXTREMES = ("1e400", "-1E999", "9" * 400, "123456789012345678901234567890", '"\\ud800"', '"\\udc00\\ud800"', "NaN")
_PIECES = (
    *(text.encode() for text in _EXTREMES),
    *(
        b'"a":1,"a":2,',
        b"[" * 300,
        b"]",
        b"}",
        b",",
        b'"',
        b"\\",
        b"\\u2028",
        b"\xe2\x80\xa8",
        b"\xff",
        b"\xed\xa0\x80",
    ),
    *(b"\x00", b"\n", b"0", b"-", b".", b"e9", b"null", b"true", b"\xef\xbb\xbf", b'"error_code":"NO_ACCOUNTS",'),
)
_edits = st.tuples(
    st.floats(0, 1), st.sampled_from([0, 0, 1, 2, 9]), st.sampled_from(_PIECES) | st.binary(max_size=3) | st.just(b"")
)


@st.composite
def nearly_json(draw: st.DrawFn) -> bytes:
    """Return documents with a few bytes changed, taken out or put in: most are no JSON any more, or another one."""
    body = json.dumps(draw(documents), ensure_ascii=draw(st.booleans())).encode()
    for place, removed, inserted in draw(st.lists(_edits, min_size=1, max_size=3)):
        at = int(place * len(body))
        body = body[:at] + inserted + body[at + removed :]
    return body


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every scalar but null with the names that lead to it; positions in arrays do not count."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, path)
    elif value is not None:
        yield path, value


def sendable(value: Any) -> Any:
    """Return a value with U+FFFD in place of U+0000, which no destination can hold."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, list):
        return [sendable(item) for item in value]
    return {sendable(name): sendable(inner) for name, inner in value.items()} if isinstance(value, dict) else value


def plain(value: Any) -> str:
    """Return one text for all equal JSON values: 12.0 is 12, true is not 1."""
    return json.dumps(_plain(value), sort_keys=True)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def depth(value: Any) -> int:
    """Return how many levels of arrays and objects a value has."""
    level, inside = 0, [value]
    while inside:
        level += 1
        inside = [
            inner
            for one in inside
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return level - 1


_DAMAGED_LEVELS = 12


def _places(value: Any) -> list[tuple[Any, ...]]:
    """Return the path to every value inside a JSON value, and to itself, down to a dozen levels."""
    found: list[tuple[Any, ...]] = []
    ahead: list[tuple[tuple[Any, ...], Any]] = [((), value)]
    while ahead:
        way, inside = ahead.pop()
        found.append(way)
        if isinstance(inside, dict | list) and len(way) < _DAMAGED_LEVELS:
            items = inside.items() if isinstance(inside, dict) else enumerate(inside)
            ahead += [((*way, name), inner) for name, inner in items]
    return found


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[Any], within: Any = anything) -> Any:
    """Return values of `whole` in which a few parts are changed, removed or joined by unknown ones."""
    value = copy.deepcopy(draw(whole))
    for _ in range(draw(st.integers(1, 3))):
        way = draw(st.sampled_from(_places(value)))
        if not way:
            value = draw(st.just(value) | within)
            continue
        owner = functools.reduce(lambda inside, name: inside[name], way[:-1], value)
        match draw(st.sampled_from(["other", "other", "gone", "more"])):
            case "gone":
                del owner[way[-1]]
            case "more" if isinstance(owner, dict):
                owner[draw(texts)] = draw(within)
            case _:
                owner[way[-1]] = draw(within)
    return value


_CHARACTERS = (
    '"',
    "'",
    ",",
    ";",
    "\t",
    "\n",
    "\r",
    "{",
    "}",
    "[",
    "]",
    ":",
    "\\",
    "\ufeff",
    " ",
    "\u2028",
    "*" * 8,
    "",
)


@st.composite
def damaged_text(draw: st.DrawFn, whole: st.SearchStrategy[str]) -> str:
    """Return texts of `whole` with a few characters changed, taken out or put in, or with an end missing."""
    text = draw(whole)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        removed = draw(st.sampled_from([0, 1, 1, 2, 9, len(text)]))
        text = text[:at] + draw(st.sampled_from(_CHARACTERS) | texts) + text[at + removed :]
    return text
