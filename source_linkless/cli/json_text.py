"""Change one place of a JSON text and leave every other character as it is: order, indentation, spelling."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Path = Sequence[str | int]
"""Names of properties and positions in arrays, from the outside in."""

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n\ufeff]*")


@dataclass(frozen=True, slots=True)
class _Member:
    """One member of an object or array: where it begins, where its value begins, where both end."""

    name: str | int
    start: int
    value: int
    end: int


def replaced(text: str, path: Path, value: Any) -> str:
    """Return a valid JSON text with `value` at `path`; a new property of an object goes to its end.

    Raises KeyError when the way to the last name does not exist.
    """
    at = _place(text, path[:-1])
    written = json.dumps(value, ensure_ascii=False)
    members, close = _members(text, at)
    member = next((one for one in reversed(members) if one.name == path[-1]), None)  # of twins the last is read
    if member is not None:
        return text[: member.value] + written + text[member.end :]
    new = f"{json.dumps(path[-1], ensure_ascii=False)}: {written}"
    if not members:
        return text[: at + 1] + new + text[close:]
    gap = text[at + 1 : members[0].start]
    return f"{text[: members[-1].end]},{gap}{new}{text[members[-1].end :]}"


def removed(text: str, path: Path) -> str:
    """Return a valid JSON text without the member at `path`. Raises KeyError when it is not there."""
    at = _place(text, path[:-1])
    members, _ = _members(text, at)
    number = next((number for number, one in enumerate(members) if one.name == path[-1]), None)
    if number is None:
        raise KeyError(path[-1])
    member = members[number]
    if number + 1 < len(members):
        return text[: member.start] + text[members[number + 1].start :]
    return text[: members[number - 1].end if number else member.start] + text[member.end :]


def _place(text: str, path: Path) -> int:
    """Return where the object or array at `path` begins."""
    at = _after_space(text, 0)
    for name in path:
        found = [member.value for member in _members(text, at)[0] if member.name == name]
        if not found:
            raise KeyError(name)
        at = found[-1]
    return at


def _members(text: str, at: int) -> tuple[list[_Member], int]:
    """Return the members of the object or array that begins at `at`, and where it ends."""
    is_object, at = text[at] == "{", _after_space(text, at + 1)
    members: list[_Member] = []
    while text[at] not in "]}":
        start, name = at, len(members)
        if is_object:
            name, at = _DECODER.raw_decode(text, at)
            at = _after_space(text, _after_space(text, at) + 1)
        value = at
        _, at = _DECODER.raw_decode(text, value)
        members.append(_Member(name, start, value, at))
        at = _after_space(text, at)
        if text[at] == ",":
            at = _after_space(text, at + 1)
    return members, at


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at
