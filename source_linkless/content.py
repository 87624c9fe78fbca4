"""The content of JSON values: when two say the same, what identifies them, how to unite them. Pure."""

from __future__ import annotations

import re
from binascii import hexlify
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from typing import Any

import orjson

Fields = Mapping[str, Any]

_LINE_ARRAYS = ("charges", "payments", "corrections")
"""The same lines in another order are the same bill."""

_WHOLE_BELOW = 2.0**53
"""From here on a double does not tell one whole number from the next: it says less than an integer would."""
_WHOLE = re.compile(rb"\.0(?:[],}]|$)")
"""How orjson ends every whole double below that; a text that ends so, too, costs a second look."""

_ORDINAL = re.compile(r".*~[0-9]+", re.DOTALL)
_LINE_KEY_BYTES = 16

_SORTED = orjson.OPT_SORT_KEYS


class TooDeepError(ValueError):
    """A JSON value is nested deeper than a record can be."""


def make_numbers_plain(container: dict[str, Any] | list[Any], *, beside: Collection[str] = ()) -> None:
    """Write each whole number in a parsed JSON value as an integer, in place: 12.0 says the same as 12.

    What an object has under the names `beside` stays as it is.
    """
    places: Iterable[tuple[Any, Any]] = container.items() if isinstance(container, dict) else enumerate(container)
    contents: Any = container
    for place, value in places:
        kind = type(value)  # faster than isinstance
        if kind is float:
            if value.is_integer() and -_WHOLE_BELOW < value < _WHOLE_BELOW:
                contents[place] = int(value)
        elif (kind is dict or kind is list) and place not in beside:
            make_numbers_plain(value)


def canonical(value: object) -> bytes:
    """Return the one JSON text of a value that has plain numbers: names sorted, no layout."""
    return orjson.dumps(value, option=_SORTED)


def within_record(value: object) -> bytes:
    """Return the canonical text of a value that a record can hold, which may put it 8 levels deeper than it is.

    Raises:
        TooDeepError: orjson writes at most 254 levels.
    """
    try:
        return orjson.dumps([[[[[[[[value]]]]]]]], None, _SORTED)[8:-8]
    except orjson.JSONEncodeError:
        raise TooDeepError from None


def digest(value: object) -> str:
    """Return the SHA-256 of a JSON value as hex: the same in every process, layout and number format."""
    return sha256(canonical(value)).hexdigest()


def key_of(content: object) -> str:
    """Return a key for what has no identifier of its own: 32 hex digits of its digest."""
    return digest(content)[:32]


def numbered(key: str, ordinal: int) -> str:
    """Return the key of the `ordinal`-th thing that claims `key`, counted from 1.

    The second is written `key~2`. A key that ends like that itself gets `~1`, so that no two ever share one.
    """
    is_taken = "~" in key and _ORDINAL.fullmatch(key)
    return key if ordinal == 1 and not is_taken else f"{key}~{ordinal}"


def line_keys(texts: Sequence[bytes]) -> list[bytes]:
    """Return the key of each line of a bill: 32 hex digits of the BLAKE2b of its canonical text, twins numbered."""
    keys = [hexlify(blake2b(text, digest_size=_LINE_KEY_BYTES).digest()) for text in texts]
    if len(set(keys)) == len(keys):
        return keys
    seen: dict[bytes, int] = defaultdict(int)
    for place, key in enumerate(keys):
        seen[key] += 1
        keys[place] = numbered(key.decode(), seen[key]).encode()
    return keys


@dataclass(slots=True)  # not frozen: a frozen one takes three times as long to make, and every bill makes some
class Lines:
    """The items of an array: its objects, with their canonical texts (without braces), and the `odd` others."""

    objects: Sequence[Fields] = field(repr=False)
    texts: Sequence[bytes] = field(repr=False)
    odd: Sequence[Any] = field(default=(), repr=False)

    def unordered(self) -> orjson.Fragment:
        """Return the same JSON text whatever the order of the items."""
        texts = [b"{" + b"},{".join(sorted(self.texts)) + b"}"] if self.texts else []
        return orjson.Fragment(b"[" + b",".join(texts + sorted(map(canonical, self.odd))) + b"]")


@dataclass(slots=True)
class BillContent:
    """Everything the provider said about one bill, with plain numbers; `lines` by the name of their array.

    `content_hash` is the SHA-256 of everything; layout, the order of names and lines, 12 against 12.0 make no
    difference.
    """

    fields: Fields = field(repr=False)
    lines: Mapping[str, Lines] = field(repr=False)
    content_hash: str


def bill_content(text: bytes) -> BillContent:
    """Read the JSON text of one bill, an object.

    Raises:
        orjson.JSONDecodeError: the text is no JSON that could be read.
        TooDeepError: it is nested deeper than a record can be.
    """
    fields: dict[str, Any] = orjson.loads(text)
    try:
        return _content_of(fields)
    except orjson.JSONEncodeError:
        raise TooDeepError from None


def _content_of(fields: dict[str, Any]) -> BillContent:
    lines = {name: _lines(items) for name in _LINE_ARRAYS if isinstance(items := fields.get(name), list)}
    make_numbers_plain(fields, beside=lines)
    unordered = {name: found.unordered() for name, found in lines.items()}
    return BillContent(fields, lines, sha256(within_record({**fields, **unordered})).hexdigest())


def _lines(items: list[Any]) -> Lines:
    if {*map(type, items)} <= {dict}:
        return Lines(items, _line_texts(items))
    make_numbers_plain(items)
    within_record(items)
    objects = [item for item in items if isinstance(item, dict)]
    return Lines(objects, _line_texts(objects), [item for item in items if not isinstance(item, dict)])


def _line_texts(objects: list[Any]) -> list[bytes]:
    """Return the text of each object; its numbers are made plain where a whole one is written as a double."""
    # A slice is a small object; what orjson returns was allocated large, and many of those at once cost page faults.
    texts = [orjson.dumps(one, None, _SORTED)[1:-1] for one in objects]
    written = b"}".join((*texts, b""))
    if _WHOLE.search(written):
        for place, text in enumerate(texts):
            if _WHOLE.search(text):
                make_numbers_plain(objects[place])
                texts[place] = canonical(objects[place])[1:-1]
    if b"[" in written or b"{" in written:  # something is nested, or looks like it
        within_record(objects)
    return texts


def merged_fields(parts: Sequence[Fields]) -> Fields:
    """Unite the fields of several objects; a name with different values gets all of them, as an array."""
    if len(parts) == 1:
        return parts[0]
    values: dict[str, dict[bytes, Any]] = defaultdict(dict)
    for name, value in (item for part in parts for item in part.items()):
        values[name].setdefault(canonical(value), value)
    ordered = {name: [different[text] for text in sorted(different)] for name, different in values.items()}
    return {name: different if len(different) > 1 else different[0] for name, different in ordered.items()}
