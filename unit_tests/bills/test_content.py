"""Hashes of content: fed in pieces, they are what the library makes of the whole."""

from __future__ import annotations

import hashlib

import pytest

from source_linkless.bills.content import blake2b_of, sha256_of


@pytest.mark.parametrize("size", [0, 1, 2_046, 2_047, 2_048, 4_094, 4_095, 100_000])
def test_a_hash_is_that_of_the_whole_text(size: int) -> None:
    """However many pieces a text is fed in."""
    text = bytes(place * place % 251 for place in range(size))
    assert sha256_of(text) == hashlib.sha256(text).hexdigest()
    assert blake2b_of(text, 15) == hashlib.blake2b(text, digest_size=15).digest()
