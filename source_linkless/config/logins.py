"""One login: what it takes, how it is called in the warehouse, and when two entries are the same one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from source_linkless.config.fields import Section, is_masked, is_whole, shown_name
from source_linkless.config.fleet import PASTED_LIST, UnreadableError, read_json
from source_linkless.errors import invalid_configuration

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
