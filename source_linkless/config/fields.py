"""One object of the configuration, read field by field: every check of type, range and format.

A sentence names the field the way its reader knows it and never repeats a value: most values are secrets.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_linkless.errors import invalid_configuration

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_ .-]{0,39}")
_PROVIDER_KEY = re.compile(r"[!-~]+")


def is_masked(text: str) -> bool:
    """Tell whether a form sent asterisks in place of a secret (Airbyte notes, section 4.1)."""
    return bool(text) and not text.strip().strip("*") and "*" in text


def is_whole(text: str) -> bool:
    """Tell whether a text can be encoded: JSON can spell half a surrogate pair, which nothing can send."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def shown_name(name: object) -> str:
    """Return the name of a property for a message; a name that may be a misplaced value is not repeated."""
    return f'"{name}"' if isinstance(name, str) and _PLAIN_NAME.fullmatch(name) else "with an unusual name"


@dataclass(frozen=True, slots=True)
class Section:
    """The values of one object, and how its reader calls each of them.

    `label` turns the name of a property into the words of a message. A value that is null, or text without
    content, counts as absent. Every method raises the error of `invalid_configuration`.
    """

    values: Mapping[str, Any] = field(repr=False)
    label: Callable[[str], str] = field(repr=False)

    def refused(self, name: str, what: str) -> AirbyteTracedException:
        """Make the error whose sentence is the field's label followed by `what`."""
        return invalid_configuration(f"{self.label(name)} {what}.")

    def has(self, name: str) -> bool:
        """Tell whether the property is there with a content."""
        value = self.values.get(name)
        return bool(value.strip()) if isinstance(value, str) else value is not None

    def demand(self, name: str, hint: str = "enter it") -> None:
        """Refuse an absent property; `hint` says what to do."""
        if not self.has(name):
            raise self.refused(name, f"is missing: {hint}")

    def text(self, name: str) -> str | None:
        """Return the text as it was typed."""
        if not self.has(name):
            return None
        value = self.values[name]
        if not isinstance(value, str):
            raise self.refused(name, "must be text, in quotes")
        if not is_whole(value):
            raise self.refused(name, "holds half a character, which cannot be sent: enter it again")
        return value

    def secret(self, name: str) -> str | None:
        """Return the text as it was typed, unless it is the mask that a form puts in place of a secret."""
        value = self.text(name)
        if value is not None and is_masked(value):
            raise self.refused(name, "was masked by the form (only asterisks arrived): enter it again")
        return value

    def long_secret(self, name: str, least: int, hint: str) -> str:
        """Return a required secret without the space around it, of `least` characters or more."""
        self.demand(name, hint)
        value = (self.secret(name) or "").strip()
        if len(value) < least:
            raise self.refused(name, f"must have at least {least} characters, so that nobody can guess it")
        return value

    def provider_key(self, name: str) -> str:
        """Return a required key that is sent as an HTTP header, so nothing but visible ASCII fits."""
        self.demand(name)
        value = (self.secret(name) or "").strip()
        if not _PROVIDER_KEY.fullmatch(value):
            raise self.refused(name, "holds a character that no key has: copy it again from the dashboard")
        return value

    def choice(self, name: str, allowed: Sequence[str]) -> str | None:
        """Return one of the allowed words."""
        value = self.text(name)
        if value is not None and value not in allowed:
            raise self.refused(name, f"must be one of {', '.join(allowed)}")
        return value

    def number(self, name: str, default: float, least: float, most: float = math.inf) -> float:
        """Return a finite number between `least` and `most`."""
        return float(self._in_range(name, self.values[name], least, most)) if self.has(name) else default

    def whole_number(self, name: str, least: int, most: int) -> int | None:
        """Return a whole number between `least` and `most`; 3.0 is one, as in JSON Schema."""
        if not self.has(name):
            return None
        value = self._in_range(name, self.values[name], least, most)
        if value != int(value):
            raise self.refused(name, "must be a whole number")
        return int(value)

    def _in_range(self, name: str, value: object, least: float, most: float) -> int | float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.refused(name, "must be a number, without quotes")
        # Refuses NaN, infinity and what float() cannot hold, too.
        if not -_LARGEST <= value <= _LARGEST:
            raise self.refused(name, "must be a number of ordinary size")
        if value < least:
            raise self.refused(name, f"must be at least {least:g}")
        if value > most:
            raise self.refused(name, f"must be at most {most:.15g}")
        return value

    def flag(self, name: str) -> bool | None:
        """Return true or false."""
        value = self.values.get(name) if self.has(name) else None
        if value is not None and not isinstance(value, bool):
            raise self.refused(name, "must be true or false, without quotes")
        return value

    def day(self, name: str) -> str | None:
        """Return a date of the calendar as YYYY-MM-DD."""
        value = (self.text(name) or "").strip()
        if value and not _is_date(value):
            raise self.refused(name, "must be a date written as YYYY-MM-DD, for example 2023-01-31")
        return value or None

    def uuid(self, name: str) -> str | None:
        """Return a UUID in small letters, with hyphens."""
        value = (self.text(name) or "").strip().lower()
        if value and not _UUID.fullmatch(value):
            raise self.refused(
                name,
                "must be a UUID (five groups joined by hyphens) as `linkless sources` prints it",
            )
        return value or None


_LARGEST = 1e15


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
