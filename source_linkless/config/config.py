"""The configuration: from the raw mapping of the form to frozen values. Pure; every mistake is one sentence.

    raw ─► provider keys ─► logins (one, a token, or a pasted list) ─► what to sync ─► advanced ─► Config

The form itself is spec.yaml. `logins` has the messages about types, ranges, pasted lists, credentials and keys; this
module has those about how the parts fit together.
"""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit

from source_linkless.config.logins import (
    FLEET_COLUMNS,
    KNOWN,
    PASTED_LIST,
    Login,
    Section,
    UnreadableError,
    is_key,
    read_entries,
    read_login,
    read_token,
    refuse_twins,
    secrets_beside,
    shown_name,
)
from source_linkless.errors import invalid_configuration

TITLES = {
    "environment": "Environment",
    "client_id": "Client ID",
    "secret": "Secret",
    "connection": "Utility logins",
    "connection.method": "Utility logins",
    "connection.source_id": "Utility (source ID)",
    "connection.username": "Username",
    "connection.password": "Password",
    "connection.login_fields": "Login fields",
    "connection.access_token": "Access token",
    "connection.connections": "List of logins",
    "connection.key": "Name in the warehouse",
    "connection.attempt": "Attempt",
    "start_date": "Start date",
    "failed_connections": "Failed logins",
    "personal_data": "Personal data",
    "pseudonym_key": "Pseudonymization key",
    "poll_interval_seconds": "Polling interval (seconds)",
    "check_timeout_seconds": "Connection test timeout (seconds)",
    "data_timeout_minutes": "Sync timeout (minutes)",
    "max_requests_per_second": "Requests per second",
    "refresh_after_days": "Refresh after (days)",
    "auto_refresh": "Automatic refresh",
    "parsing_method": "Parsing method",
    "api_url": "API address",
    "links": "Links",
}
"""What the form calls each property; a test compares it with spec.yaml."""

_ADDRESSES = {"live": "https://live.deck.co/api/v1", "sandbox": "https://sandbox.deck.co/api/v1"}
_METHODS = ("login", "access_token", "fleet")
_PARSING_METHODS = ("PdfOnly", "Basic", "FullSustainability", "None")
_PERSONAL_DATA = ("keep", "hash", "drop")
_LEAST_KEY = 16
_LONGEST_CHECK = 480
_LONGEST_AGE = 36_500


@dataclass(frozen=True, slots=True)
class Config:
    """A valid configuration.

    Times are in seconds; `start_date` is YYYY-MM-DD; `api_url` never ends with a slash. `links` is the text
    that the connector wrote back; the module `links` reads it. `pseudonym_key` is empty where it is not used.
    """

    environment: str
    client_id: str
    secret: str = field(repr=False)
    method: str
    logins: tuple[Login, ...] = field(repr=False)
    start_date: str | None
    failed_connections: str
    personal_data: str
    pseudonym_key: str = field(repr=False)
    poll_interval_seconds: float
    check_timeout_seconds: float
    data_timeout_seconds: float
    max_requests_per_second: float
    refresh_after_days: int | None
    auto_refresh: bool | None
    parsing_method: str | None
    api_url: str
    links: str = field(repr=False)


def parse_config(raw: Mapping[str, Any]) -> Config:
    """Read a raw configuration.

    Raises the error of `invalid_configuration`: the first mistake in the order of the form, without its value.
    """
    if not isinstance(raw, Mapping):
        raise invalid_configuration("The configuration must be a JSON object.")
    form = Section(raw, _field)
    form.demand("environment", f"choose {' or '.join(_ADDRESSES)}")
    environment = form.choice("environment", tuple(_ADDRESSES)) or ""
    return Config(
        environment=environment,
        client_id=form.provider_key("client_id"),
        secret=form.provider_key("secret"),
        method=_method(form),
        logins=_logins(form, environment),
        start_date=form.day("start_date"),
        failed_connections=form.choice("failed_connections", ("report", "fail")) or "report",
        personal_data=form.choice("personal_data", _PERSONAL_DATA) or "keep",
        pseudonym_key=_pseudonym_key(form),
        poll_interval_seconds=form.number("poll_interval_seconds", default=5, least=0.05),
        check_timeout_seconds=form.number("check_timeout_seconds", 240, least=0.05, most=_LONGEST_CHECK),
        data_timeout_seconds=form.number("data_timeout_minutes", default=60, least=0.01) * 60,
        max_requests_per_second=form.number("max_requests_per_second", default=5, least=0.01),
        refresh_after_days=form.whole_number("refresh_after_days", least=1, most=_LONGEST_AGE),
        auto_refresh=form.flag("auto_refresh"),
        parsing_method=form.choice("parsing_method", _PARSING_METHODS),
        api_url=_api_url(form) or _ADDRESSES[environment],
        links=form.text("links") or "{}",
    )


def notices(raw: Any) -> list[str]:
    """Return a sentence for each slip that a valid configuration may hold: unknown names, an address without a path.

    A name that begins with an underscore is the platform's.
    """
    if not isinstance(raw, Mapping):
        return []
    connection = raw.get("connection")
    unknown = [
        *_unknown(raw, (path for path in TITLES if "." not in path), ""),
        *_unknown(connection, (path.partition(".")[2] for path in TITLES), " in connection"),
    ]
    found = [f"Unknown options in the configuration: {', '.join(unknown)}."] if unknown else []
    address = raw.get("api_url")
    if isinstance(address, str) and (parts := _split(address.strip())) and parts.netloc and not parts.path.strip("/"):
        found.append(f"{_field('api_url')} has no path: the provider's own address ends with /api/v1.")
    return found


def _unknown(values: object, known: Iterable[str], where: str) -> Iterator[str]:
    names = [*known]
    for name in values if isinstance(values, Mapping) else ():
        if name not in names and not str(name).startswith("_"):
            near = difflib.get_close_matches(str(name).lower().replace("-", "_"), names, 1)
            yield f"{shown_name(name)}{where}" + (f' (did you mean "{near[0]}"?)' if near else "")


def _field(path: str) -> str:
    return f'"{TITLES[path]}" ({path})'


def _connection_field(name: str) -> str:
    return _field(f"connection.{name}")


def _connection(form: Section) -> Section:
    form.demand("connection", "choose how you give the logins")
    if not isinstance(form.values["connection"], Mapping):
        raise form.refused("connection", f'must be an object whose "method" is one of {", ".join(_METHODS)}')
    return Section(form.values["connection"], _connection_field)


def _method(form: Section) -> str:
    connection = _connection(form)
    connection.demand("method", f"choose one of {', '.join(_METHODS)}")
    return connection.choice("method", _METHODS) or ""


def _logins(form: Section, environment: str) -> tuple[Login, ...]:
    connection = _connection(form)
    if connection.values["method"] == "fleet":
        return _fleet(connection, environment)
    return (_login(connection, str(connection.values["method"]), environment, listed=False),)


def _login(section: Section, method: str, environment: str, *, listed: bool) -> Login:
    if method == "access_token":
        return read_token(section, environment, key_required=listed)
    return read_login(section, key_required=listed)


def _fleet(connection: Section, environment: str) -> tuple[Login, ...]:
    connection.demand("connections", "paste the list of logins")
    listed = connection.values["connections"]
    try:
        entries = read_entries(listed if isinstance(listed, list) else connection.secret("connections") or "")
    except UnreadableError as error:
        raise connection.refused("connections", str(error)) from None
    named = [_entry(number, entry, environment) for number, entry in enumerate(entries, start=1)]
    refuse_twins(named)
    return tuple(login for _, login in named)


def _entry(number: int, entry: object, environment: str) -> tuple[str, Login]:
    """Return the words that name an entry (with its position, as twins may share a key) and its login."""
    if not isinstance(entry, Mapping):
        raise invalid_configuration(f"{PASTED_LIST}, entry {number} must be an object of names and values.")
    name = _entry_name(number, entry)
    section = Section(entry, lambda column: f"{PASTED_LIST}, {column} of {name}")
    for column in entry:
        if column not in FLEET_COLUMNS:
            raise invalid_configuration(
                f"{PASTED_LIST}, {name} has an unknown property {shown_name(column)} (known are {KNOWN})."
            )
    return name, _login(section, _entry_method(section), environment, listed=True)


def _entry_name(number: int, entry: Mapping[str, Any]) -> str:
    """Name an entry by its key, unless there is none or somebody put a secret there."""
    key = entry.get("key")
    return (
        f'entry {number} ("{key.strip()}")'
        if is_key(key) and key.strip() not in secrets_beside(entry)
        else f"entry {number}"
    )


def _entry_method(section: Section) -> str:
    method = section.choice("method", ("login", "access_token"))
    if section.has("access_token") and (method == "login" or _has_credentials(section)):
        raise section.refused("access_token", "stands beside a login: keep the access token or the login, not both")
    return method or ("access_token" if section.has("access_token") else "login")


def _has_credentials(section: Section) -> bool:
    return any(section.has(name) for name in ("username", "password", "login_fields"))


def _pseudonym_key(form: Section) -> str:
    if form.values.get("personal_data") not in ("hash", "drop"):
        return ""
    return form.long_secret(
        "pseudonym_key", _LEAST_KEY, "account numbers are hashed with it; make up a long random one"
    )


def _api_url(form: Section) -> str | None:
    text = (form.text("api_url") or "").strip()
    if not text:
        return None
    # urlsplit silently drops line ends and tabs, and other readers take a backslash for a slash.
    parts = _split(text) if text.isascii() and text.isprintable() and not set(text) & set(" \\?#@") else None
    if parts is None or not parts.hostname or parts.scheme not in ("http", "https"):
        raise form.refused(
            "api_url",
            "must be an address such as https://live.deck.co/api/v1, without login, query or fragment",
        )
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise form.refused(
            "api_url", "must begin with https:// (http:// is for this machine only: localhost, 127.0.0.1)"
        )
    if "//" in parts.path.rstrip("/"):
        raise form.refused("api_url", "has a slash too many in its path")
    if not parts.path.strip("/") and parts.hostname.endswith("deck.co"):
        raise form.refused("api_url", "has no path: it must end with /api/v1")
    return text.rstrip("/")


def _split(text: str) -> SplitResult | None:
    try:
        parts = urlsplit(text)
        _ = parts.port  # a port that is no number is noticed only here
    except ValueError:
        return None
    return parts


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
