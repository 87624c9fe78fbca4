"""Hashes of content: fed in pieces, they are what the library makes of the whole."""

from __future__ import annotations

import hashlib

import orjson
import pytest

from source_linkless.bills.content import blake2b_of, digest, members


@pytest.mark.parametrize("size", [0, 1, 2_046, 2_047, 2_048, 4_094, 4_095, 100_000])
def test_a_hash_is_that_of_the_whole_text(size: int) -> None:
    """However many pieces a text is fed in."""
    text = bytes(place * place % 251 for place in range(size))
    assert blake2b_of(text, 15) == hashlib.blake2b(text, digest_size=15).digest()
    assert digest("x" * size) == hashlib.sha256(orjson.dumps("x" * size)).hexdigest()


def test_no_row_holds_the_character_that_no_destination_can_hold() -> None:
    """Whatever a row is made of, also what does not come from a document."""
    written = members({"a": "x\0y", "b": "\\u0000"})
    assert orjson.loads(b"{%b}" % written) == {"a": "x\ufffdy", "b": "\\u0000"}
