"""JSON text cut into pieces without being decoded.

    {"account_number": "1", "site": …, "statements": [{…}, {…}]}
     └── fields, decoded ───────────┘                └─┴─ items: slices of the same bytes

Each pass over a text counts when that is large: what is of the usual shape is cut in one, anything else in several.
A slice keeps no object tree alive, and of a body that is mapped from a file not even its bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, TypeVar

import msgspec
import orjson

from source_linkless.bills.content import WHOLE_BELOW, TooDeepError, make_numbers_plain, within_record
from source_linkless.provider.bodies import Body

Slice = msgspec.Raw
"""A piece of a JSON text: one value, without the space around it."""

Integer = Annotated[int, msgspec.Meta(gt=-WHOLE_BELOW, lt=WHOLE_BELOW)]
Number = Integer | Annotated[float, msgspec.Meta(gt=-WHOLE_BELOW, lt=WHOLE_BELOW)]
"""Numbers that msgspec and orjson read, and write, in the same way."""

_OBJECT, _ARRAY = b"{["
"""The first byte of each."""
_Flat = dict[str, str | Number | bool | list[Slice] | None]
"""An object whose fields hold no objects, and its arrays as slices."""
_FLAT = msgspec.json.Decoder(_Flat)
_FLAT_TWICE = msgspec.json.Decoder(dict[str, str | Number | bool | list[_Flat] | None])
_MEMBERS = msgspec.json.Decoder(dict[str, Slice])
_ITEMS = msgspec.json.Decoder(list[Slice])

Item = TypeVar("Item")
_OTHER_SHAPE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class UnreadableError(ValueError):
    """A text is no JSON that could be read, or not the kind of value that was asked for; never quotes the text."""


@dataclass(frozen=True, slots=True)
class Cut(Generic[Item]):
    """An object out of which the objects of one array were cut, not decoded: `items` (None when there is no array).

    `fields` is all the rest, decoded, with plain numbers, nulls included. Items of the array that are no objects are
    in `fields` under the name of the array; so is what stands in its place.
    """

    fields: dict[str, Any] = field(repr=False)
    items: Sequence[Item] | None = field(repr=False)


def cut(text: Body | Slice, array: str) -> Cut[Slice]:
    """Cut the objects of the array that is called `array` out of an object.

    Raises:
        UnreadableError: the text is no JSON, no object, or nested deeper than a record can be.
    """
    return _divided(_flat(text, array) or _nested(text, array), array)


def cut_twice(text: Body, outer: str, inner: str) -> Cut[Cut[Slice]]:
    """Cut the objects of the array `outer` out of an object, and out of each of these the objects of its array `inner`.

    Raises:
        UnreadableError: the text is no JSON, no object, or nested deeper than a record can be.
    """
    fields = _flat_twice(text, outer)
    if outer not in fields:
        whole = cut(text, outer)
        return Cut(whole.fields, None if whole.items is None else [cut(item, inner) for item in whole.items])
    items = [_divided(_decoded_arrays(item, inner), inner) for item in fields.pop(outer)]
    return Cut(_divided(fields, outer).fields, items)


def _divided(fields: dict[str, Any], array: str) -> Cut[Slice]:
    pieces = fields.pop(array) if isinstance(fields.get(array), list) else None
    objects = None if pieces is None else [piece for piece in pieces if memoryview(piece)[0] == _OBJECT]
    if pieces and len(objects or ()) < len(pieces):
        fields[array] = [_decoded(piece) for piece in pieces if memoryview(piece)[0] != _OBJECT]
    _refuse_too_deep(fields)
    make_numbers_plain(fields)
    return Cut(fields, objects)


def _flat(text: Body | Slice, array: str) -> dict[str, Any]:
    """Decode a flat object in one pass; nothing of another one."""
    try:
        return _decoded_arrays(_FLAT.decode(text), array)
    except _OTHER_SHAPE:
        return {}


def _flat_twice(text: Body, array: str) -> dict[str, Any]:
    """Decode an object that is flat but for its array of flat objects, in one pass; nothing of another one."""
    try:
        fields: dict[str, Any] = _FLAT_TWICE.decode(text)
    except _OTHER_SHAPE:
        return {}
    arrays = [name for name, value in fields.items() if type(value) is list]
    return fields if arrays == [array] else {}


def _decoded_arrays(fields: dict[str, Any], but: str) -> dict[str, Any]:
    for name, value in fields.items():
        if type(value) is list and name != but:
            fields[name] = [_decoded(piece) for piece in value]
    return fields


def _nested(text: Body | Slice, array: str) -> dict[str, Any]:
    """Decode an object, and its array as slices, in three passes."""
    return {
        name: _ITEMS.decode(value) if name == array and memoryview(value)[0] == _ARRAY else _decoded(value)
        for name, value in _members(text).items()
    }


def member(text: Slice, name: str) -> Any:
    """Return one member of an object, decoded, with plain numbers, or None. Raises UnreadableError."""
    value = _members(text).get(name)
    values = [] if value is None else [_decoded(value)]
    _refuse_too_deep(values)
    make_numbers_plain(values)
    return values[0] if values else None


def _members(text: Body | Slice) -> dict[str, Slice]:
    try:
        return _MEMBERS.decode(text)
    except msgspec.ValidationError:
        problem = "is not a JSON object"
    except (msgspec.DecodeError, UnicodeDecodeError):
        problem = "is not valid JSON"
    except RecursionError:
        problem = "is nested too deeply"
    raise UnreadableError(problem)  # outside the handlers: their errors may hold the text


def _decoded(text: Slice) -> Any:
    try:
        return orjson.loads(bytes(text))
    except orjson.JSONDecodeError:
        problem = "is not valid JSON"
    raise UnreadableError(problem)


def _refuse_too_deep(value: object) -> None:
    try:
        within_record(value)
    except TooDeepError:
        raise UnreadableError("is nested too deeply") from None
