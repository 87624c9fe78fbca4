"""The utilities of the simulator, and the fields of their login forms (API notes, section 2.6)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Field:
    """One input of a utility's login form. Names differ by utility, so that a guessed name fails.

    `right` is the value that logs in; a field without it accepts any value.
    """

    name: str
    label: str
    kind: str = "Text"
    right: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A utility. Its first field is the username, its second the password.

    `flat` says whether connect takes `username` and `password`, or only `fields[]`.
    """

    source_id: str
    name: str
    country: str
    supplies: tuple[str, ...]
    fields: tuple[Field, ...]
    flat: bool = True

    def as_answer(self) -> dict[str, Any]:
        """Return the source as `/link/sources` lists it."""
        fields = [
            {
                "field_number": n,
                "field_name": f.name,
                "field_label": f.label,
                "field_value": None,
                "field_type": f.kind,
            }
            for n, f in enumerate(self.fields, 1)
        ]
        return {
            "source_id": self.source_id,
            "name": self.name,
            "logo_url": None,
            "country": self.country,
            "website": f"https://{self.name.lower().replace(' ', '-').replace('&', 'and')}.example",
            "fields": fields,
        }


def _login(user: str, password: str) -> tuple[Field, ...]:
    return (Field(user, "User name"), Field(password, "Password", "Password", "pass_good"))


PIN = Field("pin_code", "PIN", "Password", "1234")

ORDINARY = Source(
    "7d9f0c52-6f0e-4c7b-9a55-1f0f6a3b2c01",
    "Springfield Power & Water",
    "US",
    ("electricity", "water", "gas"),
    _login("login_name", "login_secret"),
)
FIELDS_ONLY = Source(
    "7d9f0c52-6f0e-4c7b-9a55-1f0f6a3b2c02",
    "Ogdenville Electric",
    "US",
    ("electricity",),
    _login("txtEmail", "txtPass"),
    flat=False,
)
WITH_PIN = Source(
    "7d9f0c52-6f0e-4c7b-9a55-1f0f6a3b2c03",
    "North Haverbrook Gas",
    "CA",
    ("gas",),
    (*_login("customer", "password"), PIN),
    flat=False,
)
WATER = Source(
    "7d9f0c52-6f0e-4c7b-9a55-1f0f6a3b2c04",
    "Capital City Waterworks",
    "US",
    ("water",),
    _login("UserId", "Pwd"),
)

SOURCES: Mapping[str, Source] = {s.source_id: s for s in (ORDINARY, FIELDS_ONLY, WITH_PIN, WATER)}


def find(source_id: str | None, search: str | None) -> list[Source]:
    """Return what `/link/sources` lists: the source with that id, else by part of the name, else all."""
    if source_id is not None:
        return [SOURCES[source_id.lower()]] if source_id.lower() in SOURCES else []
    return [s for s in SOURCES.values() if (search or "").lower() in s.name.lower()][:15]
