"""Logins: from the raw values of the form or of a pasted list to frozen `Login`s. Pure: no input or output.

    pasted list ─► read_entries (JSON or CSV) ─► entries ─┐
                                                          ├─► Section (types, ranges, formats) ─► read_login, read_token
    the form's object `connection` ───────────────────────┘                                        ─► Login

Every mistake is one sentence. It names the field or the entry and never repeats a value: most values are secrets.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeGuard

from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_linkless.errors import invalid_configuration

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_ .-]{0,39}")
_PROVIDER_KEY = re.compile(r"[!-~]+")
_LARGEST = 1e15


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


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


FLEET_COLUMNS = (
    "access_token",
    "attempt",
    "key",
    "login_fields",
    "method",
    "password",
    "source_id",
    "username",
)
"""The names that an entry of a pasted list may have."""

KNOWN = ", ".join(FLEET_COLUMNS)
PASTED_LIST = "In the pasted list (connection.connections)"
"""How the sentence about an entry begins."""

_COUNT = re.compile("[0-9]{1,9}")


class UnreadableError(Exception):
    """A pasted text cannot be read; its text ends a sentence that began with the name of the field."""


def read_entries(listed: str | list[Any]) -> list[Any]:
    """Return the entries of a pasted list: a JSON array when it begins with a bracket, else CSV.

    An array that is one already is taken as it is. A JSON entry is returned as it is, whatever its type. A CSV entry
    is a dict without its empty cells. Raises `UnreadableError`.
    """
    if isinstance(listed, list):
        entries: Any = listed
    else:
        entries = read_json(listed) if looks_like_json(listed) else list(_csv_entries(_without_mark(listed)))
    if not isinstance(entries, list):
        raise UnreadableError("must be a JSON array: put the logins between [ and ]")
    if not entries:
        raise UnreadableError("holds no login: paste at least one")
    return entries


def looks_like_json(text: str) -> bool:
    """Tell whether a pasted text is meant as JSON: no header line of CSV begins with a bracket."""
    return _without_mark(text).lstrip()[:1] in ("[", "{")


def read_json(text: str) -> Any:
    """Return the value of a JSON text in which no object names a property twice. Raises `UnreadableError`.

    The error is raised outside the handlers on purpose: the one of `json` carries the whole text.
    """
    try:
        return json.loads(_without_mark(text), object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        problem = f"is not valid JSON (line {error.lineno}, column {error.colno})"
    except ValueError:
        problem = "is not valid JSON (it holds a number with too many digits)"
    except RecursionError:
        problem = "is not valid JSON (it is nested too deeply)"
    raise UnreadableError(problem)


def delimiter_of(text: str) -> str:
    """Return what divides the cells of a CSV text.

    Spreadsheets of some countries write semicolons, and cells copied out of one are divided by tabs.
    """
    header = text.lstrip().partition("\n")[0]
    return max(",;\t", key=header.count)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise UnreadableError(f"gives the property {shown_name(name)} twice in one object")
        found[name] = value
    return found


def _without_mark(text: str) -> str:
    """Spreadsheets begin a file with a byte order mark, which is no content."""
    return text.removeprefix("\ufeff")


def _csv_entries(text: str) -> Iterator[dict[str, Any]]:
    rows = _csv_rows(text)
    _, header = next(rows, (0, []))
    columns = _columns(header)
    for line, cells in rows:
        if any(cells[len(columns) :]):
            raise UnreadableError(
                f"has too many cells in line {line}: put a cell that holds a comma or a quote in quotes"
            )
        yield {name: _cell(name, cell) for name, cell in zip(columns, cells, strict=False) if cell.strip()}


def _csv_rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank, each with the number of its last line. Raises `UnreadableError`."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text), skipinitialspace=True, strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error:  # its own text may quote the cell
        problem = f"is not valid CSV (line {reader.line_num}): close every quote, and double it inside a cell"
    else:
        return
    raise UnreadableError(problem)


def _columns(header: list[str]) -> list[str]:
    columns = [cell.strip().lower() for cell in header]
    while columns and not columns[-1]:
        columns.pop()
    # A list without its header would have its first login quoted as unknown columns.
    if len(set(columns) & set(FLEET_COLUMNS)) < 2:  # noqa: PLR2004 - one name alone may be somebody's value
        raise UnreadableError(f"must be a JSON array, or CSV whose first line names the columns (known are {KNOWN})")
    for number, name in enumerate(columns, start=1):
        if name not in FLEET_COLUMNS:  # not repeated: a paste that lost its line ends has passwords in its first line
            raise UnreadableError(f"has an unknown column, number {number} of its first line (known are {KNOWN})")
        if columns.count(name) > 1:
            raise UnreadableError(f"has the column {shown_name(name)} twice")
    return columns


def _cell(name: str, cell: str) -> str | int:
    """All cells are text; only `attempt` is a number, and what is none is left to the check of the field."""
    return int(cell) if name == "attempt" and _COUNT.fullmatch(cell.strip()) else cell


_KEY_LENGTH = 100
_LARGEST_ATTEMPT = 1_000_000
_TOKEN_ENVIRONMENT = re.compile(r"access-(sandbox|development|production)-", re.IGNORECASE)
_ENVIRONMENT_OF = {"sandbox": "sandbox", "development": "live", "production": "live"}
_TOGETHER = "give username and password, or login_fields instead of both"


@dataclass(frozen=True, slots=True)
class Login:
    """One set of credentials at one utility, or the access token of a connection that exists already.

    `key` names the connection in the warehouse. Credentials are `username` and `password`, or `fields` (the
    provider's field name → value); with `access_token` there are none. `attempt` is raised by a person to
    submit the same credentials once more.
    """

    key: str
    source_id: str | None = None
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    fields: Mapping[str, str] | None = field(default=None, repr=False)
    access_token: str | None = field(default=None, repr=False)
    attempt: int = 1


def read_login(section: Section, *, key_required: bool = False) -> Login:
    """Read a login at a utility: source, and username with password or login_fields."""
    section.demand("source_id", "find it with `linkless sources`")
    source_id = section.uuid("source_id") or ""
    fields = _login_fields(section)
    username, password = _user(section) if fields is None else (None, None)
    if key_required or fields is not None:
        section.demand("key", "choose a name for this login that never changes")
    return Login(
        key=_key(section) or _digest(source_id, (username or "").lower()),
        source_id=source_id,
        username=username,
        password=password,
        fields=fields,
        attempt=section.whole_number("attempt", least=1, most=_LARGEST_ATTEMPT) or 1,
    )


def read_token(section: Section, environment: str, *, key_required: bool = False) -> Login:
    """Read an existing connection by its access token, which must belong to the environment."""
    section.demand("access_token")
    token = (section.secret("access_token") or "").strip()
    # The form of a token is documented (API notes, section 1.4); the provider judges one of another form.
    prefix = _TOKEN_ENVIRONMENT.match(token)
    if prefix and _ENVIRONMENT_OF[prefix[1].lower()] != environment:
        raise section.refused(
            "access_token",
            f"is of the {prefix[1].lower()} environment, but Environment (environment) is {environment}",
        )
    if key_required:
        section.demand("key", "choose a name for this connection that never changes")
    return Login(key=_key(section) or _digest(token), access_token=token)


def is_key(text: object) -> TypeGuard[str]:
    """Tell whether a text can name a connection: one visible line of at most 100 characters."""
    return isinstance(text, str) and 0 < len(text.strip()) <= _KEY_LENGTH and text.strip().isprintable()


def secrets_beside(values: Mapping[str, Any]) -> set[str]:
    """Return the secrets of an entry that its key must not repeat: keys stand in every table and message."""
    return {value.strip() for name in ("password", "access_token") if isinstance(value := values.get(name), str)}


def refuse_twins(named: Sequence[tuple[str, Login]]) -> None:
    """Refuse a list in which two entries are one; each login comes with the words that name its entry."""
    for what, identity in _IDENTITIES:
        seen: dict[object, str] = {}
        for name, login in named:
            found = identity(login)
            if found is not None and found in seen:
                raise invalid_configuration(f"{PASTED_LIST}, {seen[found]} and {name} {what}.")
            seen[found] = name


def _same_login(login: Login) -> object | None:
    if login.fields is not None:
        return (login.source_id, frozenset(login.fields.items()))
    return (login.source_id, login.username.lower()) if login.username else None


_IDENTITIES = (
    ("have the same key: give each a name of its own", lambda login: login.key),
    ("have keys that differ in case only, which many warehouses merge: rename one", lambda login: login.key.casefold()),
    ("are the same login at the same utility: keep one of them", _same_login),
    ("have the same access token: keep one of them", lambda login: login.access_token),
)


def _user(section: Section) -> tuple[str, str]:
    section.demand("username", _TOGETHER)
    section.demand("password", _TOGETHER)
    return (section.text("username") or "").strip(), section.secret("password") or ""


def _login_fields(section: Section) -> dict[str, str] | None:
    if not section.has("login_fields"):
        return None
    if section.has("username") or section.has("password"):
        raise section.refused("login_fields", f"stands beside username or password: {_TOGETHER}")
    fields = _parsed(section)
    if not isinstance(fields, Mapping) or not fields:
        raise section.refused("login_fields", 'must be a JSON object with at least one field, such as {"pin": "1234"}')
    for name, value in fields.items():
        _check_login_field(section, name, value)
    return dict(fields)


def _parsed(section: Section) -> Any:
    value = section.values["login_fields"]
    if not isinstance(value, str):
        return value
    try:
        return read_json(section.secret("login_fields") or "")
    except UnreadableError as error:
        raise section.refused("login_fields", str(error)) from None


def _check_login_field(section: Section, name: object, value: object) -> None:
    if not isinstance(name, str) or not name.strip():
        raise section.refused("login_fields", "has a field without a name")
    if not isinstance(value, str):
        raise section.refused(
            "login_fields",
            f"must give the field {shown_name(name)} as text in quotes (a number loses its leading zeros)",
        )
    if not (is_whole(name) and is_whole(value)):
        raise section.refused("login_fields", "holds half a character, which cannot be sent: enter it again")
    if is_masked(value):
        raise section.refused(
            "login_fields", f"has only asterisks in the field {shown_name(name)}: enter its value again"
        )


def _key(section: Section) -> str | None:
    text = section.text("key")
    if text is None:
        return None
    if not is_key(text):
        raise section.refused("key", f"must be one line of at most {_KEY_LENGTH} visible characters")
    if text.strip() in secrets_beside(section.values):
        raise section.refused("key", "repeats a secret: choose a name that may be seen in every table")
    return text.strip()


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
