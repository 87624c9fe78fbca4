"""What a small answer of the provider says: all but documents. Kind to the form, strict about what is needed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from sys import intern
from typing import Any

import orjson

from source_linkless.errors import Problem
from source_linkless.provider.bodies import Body
from source_linkless.provider.outcomes import UNKNOWN

_WORD = re.compile(r"\w{1,64}", re.ASCII)


def decoded(body: Body) -> Any:
    """Return what a small answer says; None for what is no JSON, or so large that it was not left in memory."""
    if not isinstance(body, bytes):
        return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _decoded_kindly(body)


def _decoded_kindly(body: bytes) -> Any:
    """Read what orjson does not: NaN, 1e400, a byte order mark. A token must not be lost over a field beside it."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def text_of(answer: Mapping[str, Any], name: str, path: str) -> str:
    """Return a text that must be there, or raise Problem."""
    value = answer.get(name)
    if not isinstance(value, str) or not value or not _can_be_sent(value):
        raise Problem("UNEXPECTED_ANSWER", UNKNOWN, detail=f"{path} without {name}")
    return value


def _can_be_sent(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def word_in(value: Any) -> str | None:
    """Return a word that we pass on, or None; a sentence, which could quote what was sent, is none.

    The same word is the same object, however many thousand logins wait with it.
    """
    return intern(value) if isinstance(value, str) and _WORD.fullmatch(value) else None


def objects_in(value: Any) -> list[dict[str, Any]]:
    """Return the objects in what should be an array of them."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def of_type(value: Any, kind: type) -> Any:
    """Return a value if it is of a type, else None; a truth value is no number."""
    return value if isinstance(value, kind) and not isinstance(value, bool) else None
