"""JSON values and texts: what is equal, what identifies it, and rows as text that is written once. Pure.

    {"connection_key": …, "observed_at": …, "snapshot_at": …,   "account_number": …, "charge_key": …, "amount": …}
     └── common: members that all rows of a block share ─────┘   └── own: the members of one row ──────────────┘

Members are the inside of a JSON object, without its braces. A row holds no null: the platform's serialiser drops
them. A block becomes lines of output by joining (`output`), or dicts for a consumer in this process.
"""

import re
from binascii import hexlify
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from typing import Any

import orjson

Fields = Mapping[str, Any]
Members = bytes
"""The members of a JSON object, as they stand between its braces."""

WHOLE_BELOW = 2.0**53
"""From here on a double does not tell one whole number from the next: it says less than an integer would."""
MOST_LEVELS = 240
"""Levels of nesting of a value: orjson writes 254, and a record adds some."""

_ORDINAL = re.compile(r".*~[0-9]+", re.DOTALL)
_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL)
"""One escaped character; a pair of surrogates is one."""
_UNSENDABLE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F][0-9a-fA-F]{2})")
_LINE = blake2b(digest_size=16)  # the hash of a line before its first byte
_SORTED = orjson.OPT_SORT_KEYS

TOO_DEEP = "is nested too deeply"


class UnreadableError(ValueError):
    """A text is no JSON that could be read or sent; never quotes the text."""


def make_plain(container: dict[str, Any] | list[Any], levels: int = MOST_LEVELS) -> None:
    """Write each whole number in a parsed JSON value as an integer, in place: 12.0 says the same as 12.

    Raises:
        UnreadableError: the value has more levels than `levels`.
    """
    if not levels:
        raise UnreadableError(TOO_DEEP)
    places: Iterable[tuple[Any, Any]] = container.items() if isinstance(container, dict) else enumerate(container)
    contents: Any = container
    for place, value in places:
        kind = type(value)  # faster than isinstance
        if kind is float:
            if value.is_integer() and -WHOLE_BELOW < value < WHOLE_BELOW:
                contents[place] = int(value)
        elif kind is dict or kind is list:
            make_plain(value, levels - 1)


def canonical(value: object) -> bytes:
    """Return the one JSON text of a value that has plain numbers: names sorted, no layout."""
    return orjson.dumps(value, None, _SORTED)


def digest(value: object) -> str:
    """Return the SHA-256 of a JSON value as hex: the same in every process, layout and number format."""
    return sha256(canonical(value)).hexdigest()


def numbered(key: str, ordinal: int) -> str:
    """Return the key of the `ordinal`-th thing that claims `key`: `key`, then `key~2` and so on.

    A key that ends like that itself gets `~1`, so that no two ever share one.
    """
    return key if ordinal == 1 and not _ORDINAL.fullmatch(key) else f"{key}~{ordinal}"


def line_keys(texts: Sequence[bytes]) -> list[bytes]:
    """Return the key of each line of a bill: 32 hex digits of the BLAKE2b of its text, twins numbered."""
    keys = []
    for text in texts:
        line = _LINE.copy()  # a third faster than making a new one
        line.update(text)
        keys.append(hexlify(line.digest()))
    if len(set(keys)) == len(keys):
        return keys
    seen: dict[bytes, int] = defaultdict(int)
    for place, key in enumerate(keys):
        seen[key] += 1
        keys[place] = numbered(key.decode(), seen[key]).encode()
    return keys


def merged_fields(parts: Iterable[Fields]) -> Fields:
    """Unite the fields of several objects; a name with different values gets all of them, as an array."""
    values: dict[str, dict[bytes, Any]] = defaultdict(dict)
    for name, value in (item for part in parts for item in part.items()):
        values[name][canonical(value)] = value
    ordered = {name: [value for _, value in sorted(different.items())] for name, different in values.items()}
    return {name: different if len(different) > 1 else different[0] for name, different in ordered.items()}


def has_unsendable(text: bytes) -> bool:
    """Tell whether a JSON text may escape U+0000 or half a surrogate, which no destination can hold."""
    return _UNSENDABLE.search(text) is not None


def sendable(text: bytes) -> bytes:
    """Return a JSON text with U+FFFD in place of U+0000, of half surrogates and of bytes that are no UTF-8."""
    whole = text.decode(errors="replace").encode()
    result, copied = bytearray(), 0
    for escape in _ESCAPE.finditer(whole):  # `sub` would hold an object for every escape at once
        if _UNSENDABLE.fullmatch(escape[0]):
            result += whole[copied : escape.start()] + b"\\ufffd"
            copied = escape.end()
    return bytes(result + whole[copied:]) if copied else whole


def known(**columns: Any) -> dict[str, Any]:
    """Return the columns that have a value."""
    return {name: value for name, value in columns.items() if value is not None}


def members(columns: Mapping[str, Any]) -> Members:
    """Write columns as members."""
    text = orjson.dumps(columns)[1:-1]
    return sendable(text) if text.find(b"\\u0000") >= 0 else text  # `in` makes an exception and drops it


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one stream, at least one; a column stands either in `common` or in each of `own`."""

    common: Members = field(repr=False)
    own: Sequence[Members] = field(repr=False)

    def dicts(self) -> Iterator[dict[str, Any]]:
        """Yield each row as a dict of its own."""
        return (orjson.loads(b"{%b,%b}" % (self.common, own)) for own in self.own)
