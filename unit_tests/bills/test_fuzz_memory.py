"""Invented documents of megabytes: whatever they hold, their memory follows the size of their text."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from testing.fuzzing import examples
from testing.peak_memory import peak_of

MB = 2**20
PLACES = {
    "document": b'{"accounts":[],%b}',
    "accounts": b'{"accounts":[%b]}',
    "account": b'{"accounts":[{"account_number":"1",%b}]}',
    "statements": b'{"accounts":[{"account_number":"1","statements":[%b]}]}',
    "bill": b'{"accounts":[{"account_number":"1","statements":[{"statement_id":"1",%b}]}]}',
    "charges": b'{"accounts":[{"account_number":"1","statements":[{"statement_id":"1","charges":[%b]}]}]}',
    "charge": b'{"accounts":[{"account_number":"1","statements":[{"charges":[{"amount":1,%b}]}]}]}',
    "field": b'{"accounts":[{"account_number":"1","statements":[{"statement_id":"1","x":[%b]}]}]}',
    "text": b'{"accounts":[{"account_number":"1","statements":[{"statement_id":"%b"}]}]}',
}
"""Where in a document something is repeated. What belongs there is not always what stands there."""
UNITS = [
    *(b"{}", b"[]", b"0", b"null", b'""', b"1.5", b"1e5", b"[", b"{", b"[[[]]]", b"x", b"\xff"),
    *(b'"\\ud83d"', b'"\\u0000"', b'"x":{}', b'"x":[]', b'{"a":1}', b'{"amount":1}', b'{"charges":[{"amount":1}]}'),
    *(b'{"statement_id":"1"}', b'{"account_number":"1"}', b'{"statements":[{}]}', b'"charges":[{"amount":1}]'),
]

documents = st.tuples(
    st.sampled_from(list(PLACES)),
    st.lists(st.sampled_from(UNITS), min_size=1, max_size=3).map(b",".join),
    st.sampled_from([b",", b"", b" ,\n"]),
    st.integers(1, 8),
)


@examples(2)
@given(documents)
@example(("statements", b"{}", b",", 8))
@example(("field", b"[]", b",", 8))
@example(("charges", b'{"amount":1}', b",", 8))
@example(("charge", b'"x":{}', b",", 8))
@example(("charges", b'"\\ud83d"', b"", 8))
@example(("text", b"\\n\\ud83d", b"", 8))
def test_the_memory_of_a_document_follows_its_text(document: tuple[str, bytes, bytes, int]) -> None:
    """At most three times its bytes, and 200 MB that any document may take."""
    place, unit, between, megabytes = document
    before, after = PLACES[place].split(b"%b")
    repeated = unit + between
    times = megabytes * MB // len(repeated)
    assert peak_of(before, repeated, times, unit + after) <= 3 * times * len(repeated) + 200 * 10**6
