"""The content of JSON values: when two say the same, what identifies them, how to unite them. Pure."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

Fields = Mapping[str, Any]

# The same lines in another order are the same bill.
_LINE_ARRAYS = ("charges", "payments", "corrections")

_INTEGERS = (-(2.0**63), 2.0**64)  # what orjson can write as an integer

_ORDINAL = re.compile(r".*~[0-9]+", re.DOTALL)


def make_numbers_plain(container: dict[str, Any] | list[Any]) -> None:
    """Write each whole number in a parsed JSON value as an integer, in place: 12.0 says the same as 12."""
    places: Iterable[tuple[Any, Any]] = container.items() if isinstance(container, dict) else enumerate(container)
    contents: Any = container
    for place, value in places:
        kind = type(value)  # a few million times per document: faster than isinstance
        if kind is dict or kind is list:
            make_numbers_plain(value)
        elif kind is float and value.is_integer() and _INTEGERS[0] <= value < _INTEGERS[1]:
            contents[place] = int(value)


def canonical(value: object) -> bytes:
    """Return the one JSON text of a value that has plain numbers: names sorted, no layout."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest(value: object) -> str:
    """Return the SHA-256 of a JSON value as hex: the same in every process, layout and number format."""
    return hashlib.sha256(canonical(value)).hexdigest()


def key_of(content: object) -> str:
    """Return a key for what has no identifier of its own: 32 hex digits of its digest."""
    return digest(content)[:32]


def numbered(key: str, ordinal: int) -> str:
    """Return the key of the `ordinal`-th thing that claims `key`, counted from 1.

    The second is written `key~2`. A key that ends like that itself gets `~1`, so that no two ever share one.
    """
    return key if ordinal == 1 and _ORDINAL.fullmatch(key) is None else f"{key}~{ordinal}"


def keyed_lines(lines: Iterable[Fields]) -> Iterator[tuple[str, Fields]]:
    """Pair each charge or payment of a bill with its key: by content, identical lines numbered."""
    seen: dict[str, int] = {}
    for line in lines:
        key = key_of(line)
        seen[key] = seen.get(key, 0) + 1
        yield numbered(key, seen[key]), line


def bill_digest(raw: Fields) -> str:
    """Return the digest of a bill; the order of its lines says nothing."""
    content = dict(raw)
    for name in _LINE_ARRAYS:
        lines = raw.get(name)
        if isinstance(lines, list):
            content[name] = orjson.Fragment(b"[" + b",".join(sorted(map(canonical, lines))) + b"]")
    return digest(content)


def merged_fields(parts: Sequence[Fields]) -> Fields:
    """Unite the fields of several objects; a name with different values gets all of them, as an array."""
    if len(parts) == 1:
        return parts[0]
    values: dict[str, dict[bytes, Any]] = defaultdict(dict)
    for name, value in (item for part in parts for item in part.items()):
        values[name].setdefault(canonical(value), value)
    ordered = {name: [different[text] for text in sorted(different)] for name, different in values.items()}
    return {name: different if len(different) > 1 else different[0] for name, different in ordered.items()}
