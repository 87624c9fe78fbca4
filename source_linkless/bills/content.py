"""The content of JSON values: when two say the same, what identifies them, how to unite them. Pure."""

from __future__ import annotations

import re
from binascii import hexlify
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from hashlib import blake2b, sha256
from typing import Any

import orjson

Fields = Mapping[str, Any]

WHOLE_BELOW = 2**53
"""From here on a double does not tell one whole number from the next: it says less than an integer would."""

_ORDINAL = re.compile(r".*~[0-9]+", re.DOTALL)
_LINE = blake2b(digest_size=16)
"""The hash of a line before its first byte."""

_SORTED = orjson.OPT_SORT_KEYS

_AT_ONCE = 2_047
"""A hash that is given more bytes lets other threads run meanwhile: waking them takes longer than hashing a bill."""


class TooDeepError(ValueError):
    """A JSON value is nested deeper than a record can be."""


def make_numbers_plain(container: dict[str, Any] | list[Any]) -> None:
    """Write each whole number in a parsed JSON value as an integer, in place: 12.0 says the same as 12."""
    places: Iterable[tuple[Any, Any]] = container.items() if isinstance(container, dict) else enumerate(container)
    contents: Any = container
    for place, value in places:
        kind = type(value)  # faster than isinstance
        if kind is float:
            if value.is_integer() and -WHOLE_BELOW < value < WHOLE_BELOW:
                contents[place] = int(value)
        elif kind is dict or kind is list:
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
    return sha256_of(canonical(value))


def sha256_of(text: bytes) -> str:
    """Return the SHA-256 of a text as hex."""
    digest: str = _fed(sha256, text).hexdigest()
    return digest


def blake2b_of(text: bytes, size: int) -> bytes:
    """Return the BLAKE2b of a text, `size` bytes of it."""
    digest: bytes = _fed(partial(blake2b, digest_size=size), text).digest()
    return digest


def _fed(new_hash: Callable[[bytes], Any], text: bytes) -> Any:
    filled = new_hash(text[:_AT_ONCE])
    for start in range(_AT_ONCE, len(text), _AT_ONCE):
        filled.update(text[start : start + _AT_ONCE])
    return filled


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


def merged_fields(parts: Sequence[Fields]) -> Fields:
    """Unite the fields of several objects; a name with different values gets all of them, as an array."""
    if len(parts) == 1:
        return parts[0]
    values: dict[str, dict[bytes, Any]] = defaultdict(dict)
    for name, value in (item for part in parts for item in part.items()):
        values[name].setdefault(canonical(value), value)
    ordered = {name: [different[text] for text in sorted(different)] for name, different in values.items()}
    return {name: different if len(different) > 1 else different[0] for name, different in ordered.items()}
