"""Cutting documents: what is cut in one pass is what several passes would have cut."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_linkless.bills.slices import Cut, Slice, UnreadableError, cut, cut_twice
from testing.fuzzing import examples
from testing.strange_json import documents, nearly_json, orderly

_flat_values = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text(max_size=3)
_flat_accounts = st.fixed_dictionaries(
    {},
    optional={
        "account_number": _flat_values,
        "tags": st.lists(_flat_values, max_size=2),
        "statements": st.none() | st.lists(_flat_values | st.just({"statement_id": "s", "n": [1.0, {}]}), max_size=3),
    },
)
_flat_documents = st.fixed_dictionaries(
    {"accounts": st.lists(_flat_accounts, max_size=3)},
    optional={"source_name": _flat_values, "tags": st.lists(_flat_values, max_size=2)},
)
"""Documents that one pass can cut, and some that it can almost."""


def told(parts: Cut[Any]) -> Any:
    """Return what was cut as something that can be compared."""
    items = parts.items and [told(item) if isinstance(item, Cut) else bytes(item) for item in parts.items]
    return orjson.dumps(parts.fields, option=orjson.OPT_SORT_KEYS), items


def in_several_passes(body: bytes) -> Cut[Cut[Slice]]:
    """Cut the document, then each account."""
    whole = cut(body, "accounts")
    return Cut(whole.fields, None if whole.items is None else [cut(item, "statements") for item in whole.items])


def outcome(of: Any) -> Any:
    """Return what a way of cutting gives, or what it says of a text that it cannot cut."""
    try:
        return told(of())
    except UnreadableError as error:
        return str(error)


@examples(300)
@given((_flat_documents | documents | orderly).map(lambda document: json.dumps(document).encode()) | nearly_json())
def test_one_pass_cuts_as_several_do(body: bytes) -> None:
    """Fields and slices are the same, and so is the complaint about a text that cannot be read."""
    assert outcome(lambda: cut_twice(body, "accounts", "statements")) == outcome(lambda: in_several_passes(body))


@pytest.mark.parametrize(
    ("account", "fields", "items"),
    [
        ({}, {}, None),
        ({"statements": None}, {"statements": None}, None),
        ({"statements": []}, {}, []),
        ({"statements": [1.0, {"a": 1.0}, None]}, {"statements": [1, None]}, [{"a": 1.0}]),
        ({"statements": "none", "tags": ["a", {"b": 2.0}]}, {"statements": "none", "tags": ["a", {"b": 2}]}, None),
        ({"site": {"b": "c"}, "statements": [{}]}, {"site": {"b": "c"}}, [{}]),
    ],
)
def test_an_account_is_divided_into_fields_and_bills(account: object, fields: object, items: object) -> None:
    """Fields have plain numbers; bills are as sent. What stands between the bills, or in their place, is a field."""
    body = orjson.dumps({"name": "x", "accounts": [account, {"account_number": "1"}], "more": 1.0})
    both = cut_twice(body, "accounts", "statements")
    assert orjson.dumps(both.fields) == b'{"name":"x","more":1}'
    first, second = both.items or ()
    assert (second.fields, second.items) == ({"account_number": "1"}, None)
    assert orjson.dumps(first.fields) == orjson.dumps(fields)
    assert (first.items and [orjson.loads(bytes(item)) for item in first.items]) == items
