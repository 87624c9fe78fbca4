"""The configuration: from the raw mapping of the form to frozen values. Pure; every mistake is one sentence.

    raw ─► provider keys ─► logins (one, a token, or a pasted list) ─► what to sync ─► advanced ─► Config
                               └ each is a section: its values, and what messages call them ─► Login

A sentence names the field or the entry and never repeats a value: most values are secrets.
"""

import difflib
import hashlib
import ipaddress
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from functools import cache, partial
from importlib import resources
from typing import Any
from urllib.parse import SplitResult, urlsplit

from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_linkless.config.logins import (
    FLEET_COLUMNS,
    KNOWN,
    UnreadableError,
    is_masked,
    is_whole,
    read_entries,
    read_json,
    shown_name,
)
from source_linkless.errors import invalid_configuration

_ADDRESSES = {"live": "https://live.deck.co/api/v1", "sandbox": "https://sandbox.deck.co/api/v1"}
_METHODS = ("login", "access_token", "fleet")
_PARSING_METHODS = ("PdfOnly", "Basic", "FullSustainability", "None")
_MASKABLE = {"client_id", "secret", "password", "login_fields", "access_token", "connections", "pseudonym_key"}
"""The fields in whose place a form may send asterisks."""
_LARGEST_NUMBER, _LARGEST_ATTEMPT = 1e15, 1_000_000
_LONGEST_CHECK, _LONGEST_AGE, _LONGEST_KEY = 480, 36_500, 100
_UUID = "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_TOKEN_ENVIRONMENT = re.compile(r"access-(sandbox|development|production)-", re.IGNORECASE)
_TOGETHER = "give username and password, or login_fields instead of both"
_PASTED_LIST = "In the pasted list (connection.connections)"


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


class _Section:
    """The values of one object, and `label`: what messages call each of them.

    Null, and text without content, count as absent. A mistake is the config error that `refused` makes.
    """

    def __init__(self, raw: Mapping[str, Any], label: Callable[[str], str]) -> None:
        self._label = label
        self.values = {
            name: value
            for name, value in raw.items()
            if (value.strip() if isinstance(value, str) else value is not None)
        }

    def refused(self, name: str, what: str) -> AirbyteTracedException:
        """Make the error whose sentence is the field's label followed by `what`."""
        return invalid_configuration(f"{self._label(name)} {what}.")

    def expect(self, condition: object, name: str, otherwise: str) -> None:
        """Refuse a field with the words `otherwise`, unless the condition is true."""
        if not condition:
            raise self.refused(name, otherwise)

    def demand(self, name: str, hint: str) -> None:
        """Refuse an absent field; `hint` says what to do."""
        self.expect(name in self.values, name, f"is missing: {hint}")

    def text(self, name: str, *, demand: str = "") -> str:
        """Return the text as it was typed. An absent one is "", or is refused with the hint `demand`."""
        if demand:
            self.demand(name, demand)
        value: str = self.values.get(name, "")
        self.expect(isinstance(value, str), name, "must be text, in quotes")
        self.expect(is_whole(value), name, "holds half a character, which cannot be sent: enter it again")
        is_mask = name in _MASKABLE and is_masked(value)
        self.expect(not is_mask, name, "was masked by the form (only asterisks arrived): enter it again")
        return value

    def fitting(self, name: str, pattern: str, otherwise: str, *, demand: str = "") -> str:
        """Return the text without the space around it; one that does not match is refused with `otherwise`."""
        value = self.text(name, demand=demand).strip()
        self.expect(not value or re.fullmatch(pattern, value), name, otherwise)
        return value

    def choice(self, name: str, allowed: Sequence[str], *, demand: str = "") -> str:
        """Return one of the allowed words, or "" if it is absent."""
        value = self.text(name, demand=demand)
        self.expect(not value or value in allowed, name, f"must be one of {', '.join(allowed)}")
        return value

    def number(self, name: str, default: float, least: float, most: float = math.inf) -> float:
        """Return a finite number between `least` and `most`."""
        value = self.values.get(name, default)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        self.expect(is_number, name, "must be a number, without quotes")
        # Refuses NaN, infinity and what float() cannot hold, too.
        self.expect(-_LARGEST_NUMBER <= value <= _LARGEST_NUMBER, name, "must be a number of ordinary size")
        self.expect(value >= least, name, f"must be at least {least:g}")
        self.expect(value <= most, name, f"must be at most {most:.15g}")
        return float(value)

    def whole_number(self, name: str, most: int) -> int | None:
        """Return a whole number between 1 and `most`; 3.0 is one, as in JSON Schema."""
        if name not in self.values:
            return None
        value = self.number(name, 1, 1, most)
        self.expect(value.is_integer(), name, "must be a whole number")
        return int(value)

    def flag(self, name: str) -> bool | None:
        """Return true or false."""
        value: bool | None = self.values.get(name)
        self.expect(value is None or isinstance(value, bool), name, "must be true or false, without quotes")
        return value

    def day(self, name: str) -> str | None:
        """Return a date of the calendar as YYYY-MM-DD."""
        value = self.text(name).strip()
        with suppress(ValueError):
            if not value or date.fromisoformat(value).isoformat() == value:
                return value or None
        raise self.refused(name, "must be a date written as YYYY-MM-DD, for example 2023-01-31")


@cache
def titles() -> dict[str, str]:
    """Return what the form calls each property, by the path that messages give."""
    spec = json.loads(resources.files("source_linkless").joinpath("messages/spec.json").read_bytes())
    properties = spec["spec"]["connectionSpecification"]["properties"]
    found = {name: schema["title"] for name, schema in properties.items()}
    for option in properties["connection"]["oneOf"]:
        for name, schema in option["properties"].items():
            found[f"connection.{name}"] = schema.get("title", found["connection"])
    return found


def _field(path: str) -> str:
    return f'"{titles()[path]}" ({path})'


def parse_config(raw: Mapping[str, Any]) -> Config:
    """Read a raw configuration.

    Raises the error of `invalid_configuration`: the first mistake in the order of the form, without its value.
    """
    if not isinstance(raw, Mapping):
        raise invalid_configuration("The configuration must be a JSON object.")
    form = _Section(raw, _field)
    environment = form.choice("environment", tuple(_ADDRESSES), demand=f"choose {' or '.join(_ADDRESSES)}")
    no_key = "holds a character that no key has: copy it again from the dashboard"  # an HTTP header takes visible ASCII
    client_id = form.fitting("client_id", "[!-~]+", no_key, demand="enter it")
    secret = form.fitting("secret", "[!-~]+", no_key, demand="enter it")
    method, logins = _logins(form, environment)
    return Config(
        environment=environment,
        client_id=client_id,
        secret=secret,
        method=method,
        logins=logins,
        start_date=form.day("start_date"),
        failed_connections=form.choice("failed_connections", ("report", "fail")) or "report",
        personal_data=form.choice("personal_data", ("keep", "hash", "drop")) or "keep",
        pseudonym_key=_pseudonym_key(form),
        poll_interval_seconds=form.number("poll_interval_seconds", default=5, least=0.05),
        check_timeout_seconds=form.number("check_timeout_seconds", 240, least=0.05, most=_LONGEST_CHECK),
        data_timeout_seconds=form.number("data_timeout_minutes", default=60, least=0.01) * 60,
        max_requests_per_second=form.number("max_requests_per_second", default=5, least=0.01),
        refresh_after_days=form.whole_number("refresh_after_days", _LONGEST_AGE),
        auto_refresh=form.flag("auto_refresh"),
        parsing_method=form.choice("parsing_method", _PARSING_METHODS) or None,
        api_url=_api_url(form) or _ADDRESSES[environment],
        links=form.text("links") or "{}",
    )


def notices(raw: Any) -> list[str]:
    """Return a sentence for each slip that a valid configuration may hold: unknown names, an address without a path.

    A name that begins with an underscore is the platform's.
    """
    if not isinstance(raw, Mapping):
        return []
    unknown = [*_unknown(raw, ""), *_unknown(raw.get("connection"), " in connection")]
    found = [f"Unknown options in the configuration: {', '.join(unknown)}."] if unknown else []
    address = raw.get("api_url")
    parts = _split(address.strip() if isinstance(address, str) else "")
    if parts.netloc and not parts.path.strip("/"):
        found.append(f"{_field('api_url')} has no path: the provider's own address ends with /api/v1.")
    return found


def _unknown(values: object, where: str) -> Iterator[str]:
    names = [path.partition(".")[2] if where else path for path in titles() if where or "." not in path]
    for name in values if isinstance(values, Mapping) else ():
        if name not in names and not str(name).startswith("_"):
            near = difflib.get_close_matches(str(name).lower().replace("-", "_"), names, 1)
            yield f"{shown_name(name)}{where}" + (f' (did you mean "{near[0]}"?)' if near else "")


def _logins(form: _Section, environment: str) -> tuple[str, tuple[Login, ...]]:
    """Return how the logins are given, and the logins."""
    form.demand("connection", "choose how you give the logins")
    raw = form.values["connection"]
    if not isinstance(raw, Mapping):
        raise form.refused("connection", f'must be an object whose "method" is one of {", ".join(_METHODS)}')
    connection = _Section(raw, lambda name: _field(f"connection.{name}"))
    method = connection.choice("method", _METHODS, demand=f"choose one of {', '.join(_METHODS)}")
    if method == "fleet":
        return method, _fleet(connection, environment)
    return method, (_login(connection, method, environment),)


def _fleet(connection: _Section, environment: str) -> tuple[Login, ...]:
    connection.demand("connections", "paste the list of logins")
    listed = connection.values["connections"]
    try:
        entries = read_entries(listed if isinstance(listed, list) else connection.text("connections"))
    except UnreadableError as error:
        raise connection.refused("connections", str(error)) from None
    named = [_entry(number, entry, environment) for number, entry in enumerate(entries, start=1)]
    for what, identity in _IDENTITIES:
        seen: dict[object, str] = {}
        for name, login in named:
            found = identity(login)
            if found is not None and found in seen:
                raise invalid_configuration(f"{_PASTED_LIST}, {seen[found]} and {name} {what}.")
            seen[found] = name
    return tuple(login for _, login in named)


def _same_login(login: Login) -> object | None:
    if login.fields is not None:
        return (login.source_id, frozenset(login.fields.items()))
    return (login.source_id, login.username.lower()) if login.username else None


_IDENTITIES: tuple[tuple[str, Callable[[Login], object]], ...] = (
    ("have the same key: give each a name of its own", lambda login: login.key),
    ("have keys that differ in case only, which many warehouses merge: rename one", lambda login: login.key.casefold()),
    ("are the same login at the same utility: keep one of them", _same_login),
    ("have the same access token: keep one of them", lambda login: login.access_token),
)
"""What two entries of a list may not have in common; None is in common with nothing."""


def _entry(number: int, entry: object, environment: str) -> tuple[str, Login]:
    """Return what messages call an entry (with its position, as two may share a key), and its login."""
    if not isinstance(entry, Mapping):
        raise invalid_configuration(f"{_PASTED_LIST}, entry {number} must be an object of names and values.")
    key, name = entry.get("key"), f"entry {number}"
    if isinstance(key, str) and key.strip() and not _wrong_key(key.strip(), entry):
        name += f' ("{key.strip()}")'
    for column in entry:
        if column not in FLEET_COLUMNS:
            unknown = f"has an unknown property {shown_name(column)} (known are {KNOWN})"
            raise invalid_configuration(f"{_PASTED_LIST}, {name} {unknown}.")
    section = _Section(entry, lambda column: f"{_PASTED_LIST}, {column} of {name}")
    method, given = section.choice("method", _METHODS[:2]), section.values.keys()
    if "access_token" in given and (method == "login" or given & {"username", "password", "login_fields"}):
        raise section.refused("access_token", "stands beside a login: keep the access token or the login, not both")
    method = method or ("access_token" if "access_token" in given else "login")
    return name, _login(section, method, environment, is_listed=True)


def _login(section: _Section, method: str, environment: str, *, is_listed: bool = False) -> Login:
    """Read an access token, which must belong to the environment, or a login at a utility."""
    if method == "access_token":
        token = section.text("access_token", demand="enter it").strip()
        # The form of a token is documented (API notes, section 1.4); the provider judges one of another form.
        if match := _TOKEN_ENVIRONMENT.match(token):
            found = match[1].lower()
            other = f"is of the {found} environment, but Environment (environment) is {environment}"
            section.expect((found == "sandbox") == (environment == "sandbox"), "access_token", other)
        choose = "choose a name for this connection that never changes" if is_listed else ""
        return Login(_key(section, choose) or _digest(token), access_token=token)
    no_uuid = "must be a UUID (five groups joined by hyphens) as `linkless sources` prints it"
    source_id = section.fitting("source_id", _UUID, no_uuid, demand="find it with `linkless sources`").lower()
    fields, username, password = _login_fields(section), None, None
    if fields is None:
        username = section.text("username", demand=_TOGETHER).strip()
        password = section.text("password", demand=_TOGETHER)
    choose = "choose a name for this login that never changes" if is_listed or fields is not None else ""
    key = _key(section, choose) or _digest(source_id, (username or "").lower())
    attempt = section.whole_number("attempt", _LARGEST_ATTEMPT) or 1
    return Login(key, source_id, username, password, fields, attempt=attempt)


def _login_fields(section: _Section) -> dict[str, str] | None:
    expect, fields = partial(section.expect, name="login_fields"), section.values.get("login_fields")
    if fields is None:
        return None
    beside = section.values.keys() & {"username", "password"}
    expect(not beside, otherwise=f"stands beside username or password: {_TOGETHER}")
    if isinstance(fields, str):
        try:
            fields = read_json(section.text("login_fields"))
        except UnreadableError as error:
            raise section.refused("login_fields", str(error)) from None
    example = '{"pin": "1234"}'
    is_object = isinstance(fields, Mapping) and fields
    expect(is_object, otherwise=f"must be a JSON object with at least one field, such as {example}")
    for name, value in fields.items():
        expect(isinstance(name, str) and name.strip(), otherwise="has a field without a name")
        as_text = f"must give the field {shown_name(name)} as text in quotes (a number loses its leading zeros)"
        expect(isinstance(value, str), otherwise=as_text)
        halves = "holds half a character, which cannot be sent: enter it again"
        expect(is_whole(name) and is_whole(value), otherwise=halves)
        asterisks = f"has only asterisks in the field {shown_name(name)}: enter its value again"
        expect(not is_masked(value), otherwise=asterisks)
    return dict(fields)


def _key(section: _Section, demand: str) -> str:
    key = section.text("key", demand=demand).strip()
    wrong = _wrong_key(key, section.values) if key else ""
    section.expect(not wrong, "key", wrong)
    return key


def _wrong_key(key: str, beside: Mapping[str, Any]) -> str:
    """Return what is wrong with a key, which stands in every table and message, beside the values of its entry."""
    if len(key) > _LONGEST_KEY or not key.isprintable():
        return f"must be one line of at most {_LONGEST_KEY} visible characters"
    secrets = [value.strip() for name in ("password", "access_token") if isinstance(value := beside.get(name), str)]
    return "repeats a secret: choose a name that may be seen in every table" if key in secrets else ""


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _pseudonym_key(form: _Section) -> str:
    if form.values.get("personal_data") not in ("hash", "drop"):
        return ""
    too_short = "must have at least 16 characters, so that nobody can guess it"
    make_one_up = "account numbers are hashed with it; make up a long random one"
    return form.fitting("pseudonym_key", "(?s).{16,}", too_short, demand=make_one_up)


def _api_url(form: _Section) -> str:
    text = form.text("api_url").strip()
    if not text:
        return ""
    # urlsplit silently drops line ends and tabs, and other readers take a backslash for a slash.
    is_plain = text.isascii() and text.isprintable() and not set(text) & set(" \\?#@")
    parts = _split(text)
    host, path, expect = parts.hostname or "", parts.path, partial(form.expect, name="api_url")
    no_address = "must be an address such as https://live.deck.co/api/v1, without login, query or fragment"
    expect(is_plain and host and parts.scheme in ("http", "https"), otherwise=no_address)
    not_safe = "must begin with https:// (http:// is for this machine only: localhost, 127.0.0.1)"
    expect(parts.scheme == "https" or _is_loopback(host), otherwise=not_safe)
    expect("//" not in path.rstrip("/"), otherwise="has a slash too many in its path")
    expect(path.strip("/") or not host.endswith("deck.co"), otherwise="has no path: it must end with /api/v1")
    return text.rstrip("/")


def _split(text: str) -> SplitResult:
    """Return the parts of an address; all are empty if it is none."""
    with suppress(ValueError):
        parts = urlsplit(text)
        _ = parts.port  # a port that is no number is noticed only here
        return parts
    return urlsplit("")


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"
