"""Cutting: what is cut out of a document, byte for byte, and what a text costs that is no JSON."""

from __future__ import annotations

import json
import mmap
from tempfile import TemporaryFile
from typing import Any

import orjson
import pytest
from hypothesis import given

from source_linkless.bills.content import UnreadableError
from source_linkless.bills.cutting import Cut, Piece, cut, decoded
from source_linkless.bills.findings import Findings
from testing.fuzzing import examples
from testing.strange_json import documents, orderly, sendable


def told(parts: Cut) -> Any:
    """Return what was cut as a value: fields, the objects of the array, its other items."""
    fields = {name: value(piece) for name, piece in parts.fields.items()}
    items = parts.items and [told(item) if isinstance(item, Cut) else value(item) for item in parts.items]
    return fields, items, [value(piece) for piece in parts.odd]


def value(piece: Piece) -> Any:
    """Decode a piece."""
    return decoded(piece, Findings())


def divided(sent: dict[str, Any], array: str, *inner: str) -> Any:
    """Return the same of a value that was decoded as a whole."""
    fields, items, odd = dict(sent), None, []
    if isinstance(fields.get(array), list):
        array_items = fields.pop(array)
        odd = [item for item in array_items if not isinstance(item, dict)]
        objects = [item for item in array_items if isinstance(item, dict)]
        items = objects and [divided(item, *inner) for item in objects] if inner else objects
    return fields, items, odd


@examples(60)
@given(documents | orderly)
def test_what_is_cut_is_what_decoding_the_whole_gives(document: dict[str, Any]) -> None:
    """In every layout; and a body that is too large to be cut at once, here by a leading space, is cut alike."""
    expected = divided(sendable(orjson.loads(orjson.dumps(document))), "accounts", "statements")
    for body in (orjson.dumps(document), json.dumps(document, indent=1).encode()):
        assert told(cut(body)) == expected
        assert told(cut(b" " * 2**22 + body)) == expected


def test_a_mapped_file_is_cut_like_bytes() -> None:
    """A large body lies in a file; a byte order mark before it is passed over."""
    body = b'\xef\xbb\xbf {"accounts": [{"statements": [{"a": "\\"]}"}]}]} \n'
    with TemporaryFile() as file:
        file.write(body)
        file.flush()
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        assert told(cut(mapped)) == told(cut(body))
        mapped.close()


@pytest.mark.parametrize(
    "broken",
    ["NaN", "-Infinity", "1e400", "12,5", '"raw \t tab"', '"raw \n line"', "[1,]", "{'a': 1}", "[" * 30 + "}" * 30],
)
def test_a_value_that_is_no_json_costs_its_own_piece(broken: str) -> None:
    """The bills beside it, and the fields of the account, are cut as if nothing were wrong."""
    body = f'{{"accounts": [{{"statements": [{{"a": {broken}}}, {{"b": 1}}], "site": "x"}}]}}'
    accounts = cut(body.encode()).items
    assert accounts is not None
    (account,) = accounts
    first, whole = account.items
    assert whole == b'{"b": 1}'
    assert account.fields["site"] == b'"x"'
    with pytest.raises(UnreadableError):
        decoded(first, Findings())


@pytest.mark.parametrize(
    "body",
    [
        *('{"accounts": [{"a": 1}', '{"accounts": [{"a": "1}]}', '{"a": 1}}', '{"a" 1}', '{"a": 1 "b": 2}', "{,}"),
        *('{"a": 1,}', '{"a": }', "{1: 2}", "[1]", "", " ", "{", '{"accounts": [1 2]}', '{"accounts": [,1]}', "<html>"),
    ],
)
def test_a_body_that_is_not_whole_is_refused(body: str) -> None:
    """Where names and brackets do not say what is what, nothing can be told apart."""
    with pytest.raises(UnreadableError):
        cut(body.encode())


def test_another_case_of_a_name_stands_for_one_that_is_missing() -> None:
    """Serialisers of .NET write Accounts; an array under the documented name goes before."""
    found = cut(b'{"Accounts": [{"Statements": [{}]}]}')
    assert told(found) == ({}, [({}, [{}], [])], [])
    both = cut(b'{"Accounts": [{}], "accounts": []}')
    assert told(both) == ({"Accounts": [{}]}, [], [])


@pytest.mark.no_cover  # 60,000 pieces run the same lines as a few
@pytest.mark.parametrize("item", ["{}", "[]", "0", '""'])
@pytest.mark.parametrize("place", ['{"accounts": [%s]}', '{"accounts": [{"statements": [%s]}]}'])
def test_the_number_of_pieces_is_bounded_by_the_size(place: str, item: str) -> None:
    """A body of little else than brackets would become thirty times as large in memory."""
    body = place % ",".join([item] * 60_000)
    with pytest.raises(UnreadableError, match="too many accounts or bills"):
        cut(body.encode())


@pytest.mark.parametrize("text", ["[" + "[]," * 400_000 + "0]", '"' + "x" * 2**24 + '"'])
def test_a_value_that_would_fill_the_memory_is_not_decoded(text: str) -> None:
    """Neither very many values nor a very large one."""
    with pytest.raises(UnreadableError, match="is too large"):
        decoded(text.encode(), Findings())


@pytest.mark.parametrize(
    ("sent", "expected", "repairs"),
    [
        (rb'"a\u0000b"', "a\ufffdb", 1),
        (rb'"a\\u0000b"', "a\\u0000b", 0),
        (rb'"\ud83d"', "\ufffd", 1),
        (rb'"\ud83d\ude00"', "\U0001f600", 0),
        (rb'"\ude00\ud83d"', "\ufffd\ufffd", 1),
        (b'"\xed\xa0\xbd"', "\ufffd\ufffd\ufffd", 1),
        (b'"caf\xe9"', "caf\ufffd", 1),
        (b'{"\\u0000": 1}', {"\ufffd": 1}, 1),
    ],
)
def test_characters_that_no_destination_can_hold_are_replaced(sent: bytes, expected: Any, repairs: int) -> None:
    """U+0000, half a surrogate and bytes that are no UTF-8; each text is counted once, others are not touched."""
    findings = Findings()
    assert decoded(sent, findings) == expected
    assert findings.repaired == repairs
