"""A configuration as it stands in its file: what the command changes in it, and nothing else.

The links, a password that a person has typed, an entry that is forgotten; every other character stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from source_linkless.cli import csv_text, json_text
from source_linkless.config.logins import UnreadableError, looks_like_json, read_entries
from source_linkless.errors import invalid_configuration

_LIST = ("connection", "connections")


@dataclass(frozen=True, slots=True)
class ConfigText:
    """The text of a configuration file; raises a config error when it is no JSON object."""

    text: str = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse what the connector could not read either."""
        try:
            is_object = isinstance(json.loads(self.text), dict)
        except (ValueError, RecursionError):
            is_object = False
        if not is_object:
            raise invalid_configuration("The configuration file must hold one JSON object.")

    @property
    def raw(self) -> dict[str, Any]:
        """The configuration as the connector gets it."""
        value: dict[str, Any] = json.loads(self.text)
        return value

    @property
    def entries(self) -> list[Mapping[str, Any]]:
        """The logins as they are written, in their order; none when the list cannot be read."""
        connection = self.raw.get("connection")
        if not isinstance(connection, Mapping):
            return []
        if connection.get("method") != "fleet":
            return [connection]
        try:
            entries = read_entries(str(connection.get("connections") or ""))
        except UnreadableError:
            return []
        return [entry if isinstance(entry, Mapping) else {} for entry in entries]

    def with_links(self, links: str) -> ConfigText:
        """Return the text with another value of the property `links`."""
        return ConfigText(json_text.replaced(self.text, ["links"], links))

    def with_password(self, number: int, password: str) -> ConfigText:
        """Return the text with another password in the entry `number` (from 0).

        Raises a config error for a CSV list without a column for it.
        """
        listed = self._listed()
        if listed is None:
            return ConfigText(json_text.replaced(self.text, ["connection", "password"], password))
        if looks_like_json(listed):
            return self._with_listed(json_text.replaced(listed, [number, "password"], password))
        try:
            return self._with_listed(csv_text.replaced(listed, number, "password", password))
        except KeyError:
            raise invalid_configuration("The pasted list needs a column 'password' first.") from None

    def without_entry(self, number: int) -> ConfigText:
        """Return the text without the entry `number`; the last entry takes the property `connection` with it."""
        listed = self._listed()
        if listed is None or len(self.entries) == 1:
            return ConfigText(json_text.removed(self.text, ["connection"]))
        if looks_like_json(listed):
            return self._with_listed(json_text.removed(listed, [number]))
        return self._with_listed(csv_text.removed(listed, number))

    def _listed(self) -> str | None:
        connection = self.raw["connection"]
        return connection["connections"] if connection.get("method") == "fleet" else None

    def _with_listed(self, listed: str) -> ConfigText:
        return ConfigText(json_text.replaced(self.text, _LIST, listed))


def lacks_password(entry: Mapping[str, Any]) -> bool:
    """Tell whether a password is all that an entry lacks; a person can type it."""
    others = ("password", "login_fields", "access_token")
    return bool(entry.get("username")) and not any(entry.get(name) for name in others)
