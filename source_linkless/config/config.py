"""The configuration: from the raw mapping of the form to frozen values. Pure; every mistake is one sentence.

    raw ─► provider keys ─► logins (one, a token, or a pasted list) ─► what to sync ─► advanced ─► Config
                               └ each is a section: its values, and what messages call them ─► Login

Types, choices, bounds and defaults are those of the form; `rules.toml` says more of some texts. A sentence names the
field or the entry and never repeats a value: most values are secrets.
"""

import difflib
import hashlib
import ipaddress
import json
import math
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from importlib import resources
from typing import Any
from urllib.parse import SplitResult, urlsplit

from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_linkless.config import logins as pasted
from source_linkless.errors import invalid_configuration

_RULES = tomllib.loads(resources.files(__package__).joinpath("rules.toml").read_text(encoding="utf-8"))
_ADDRESSES = {"live": "https://live.deck.co/api/v1", "sandbox": "https://sandbox.deck.co/api/v1"}
_METHODS = ("login", "access_token", "fleet")
# The fields in whose place a form may send asterisks.
_MASKABLE = {"client_id", "secret", "password", "login_fields", "access_token", "connections", "pseudonym_key"}
_LARGEST_NUMBER, _LONGEST_KEY = 1e15, 100
_TOKEN_ENVIRONMENT = re.compile(r"access-(sandbox|development|production)-", re.IGNORECASE)
_HALF = "holds half a character, which cannot be sent: enter it again"
_PASTED_LIST = "In the pasted list (connection.connections)"


@dataclass(frozen=True, slots=True)
class Login:
    """One set of credentials at one utility, or the access token of a connection that exists already.

    `key` names the connection in the warehouse. Credentials are `username` and `password`, or `fields`: the provider's
    field name → value. `attempt` is raised by a person to submit the same credentials once more.
    """

    key: str
    source_id: str | None = None
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    fields: Mapping[str, str] | None = field(default=None, repr=False, hash=False)  # a dict has no hash
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
        self.values = {name: it for name, it in raw.items() if (it.strip() if isinstance(it, str) else it is not None)}

    def refused(self, name: str, what: str) -> AirbyteTracedException:
        return invalid_configuration(f"{self._label(name)} {what}.")

    def expect(self, condition: object, name: str, otherwise: str) -> None:
        if not condition:
            raise self.refused(name, otherwise)

    def demand(self, name: str, hint: str = "") -> None:
        """Refuse an absent field where its rule, or `hint`, says what to do."""
        hint = hint or _RULES.get(name, {}).get("missing", "")
        self.expect(name in self.values or not hint, name, f"is missing: {hint}")

    def text(self, name: str, hint: str = "") -> str:
        """Return the text as it was typed, or "". Its rule may demand it, and a pattern without the space around it."""
        self.demand(name, hint)
        value: str = self.values.get(name, "")
        self.expect(isinstance(value, str), name, "must be text, in quotes")
        self.expect(pasted.is_whole(value), name, _HALF)
        is_mask = name in _MASKABLE and pasted.is_masked(value)
        self.expect(not is_mask, name, "was masked by the form (only asterisks arrived): enter it again")
        if "pattern" in (rule := _RULES.get(name, {})):
            value = value.strip()
            self.expect(re.fullmatch(rule["pattern"], value), name, rule["otherwise"])
        return value

    def choice(self, name: str, allowed: Sequence[str]) -> str:
        value = self.text(name)
        self.expect(not value or value in allowed, name, f"must be one of {', '.join(allowed)}")
        return value

    def option(self, name: str) -> Any:
        """Return what the form's schema describes completely, by default the schema's value or None."""
        schema = schemas()[name]
        value = self.values.get(name, schema.get("default"))
        if schema["type"] == "string":
            return (self.choice(name, schema["enum"]) if "enum" in schema else self.text(name)) or value
        if schema["type"] == "boolean":
            self.expect(value is None or isinstance(value, bool), name, "must be true or false, without quotes")
        if schema["type"] == "boolean" or value is None:
            return value
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        self.expect(is_number, name, "must be a number, without quotes")
        # Refuses NaN, infinity and what float() cannot hold, too.
        self.expect(-_LARGEST_NUMBER <= value <= _LARGEST_NUMBER, name, "must be a number of ordinary size")
        least, most = schema["minimum"], schema.get("maximum", math.inf)
        self.expect(value >= least, name, f"must be at least {least:g}")
        self.expect(value <= most, name, f"must be at most {most:.15g}")
        if schema["type"] == "number":
            return float(value)
        self.expect(int(value) == value, name, "must be a whole number")  # 3.0 is one, as in JSON Schema
        return int(value)


@cache
def schemas() -> dict[str, dict[str, Any]]:
    """Return the schema of each property of the form, in its order; one inside of `connection` has it as `owner`."""
    spec = json.loads(resources.files("source_linkless").joinpath("messages/spec.json").read_bytes())
    properties: dict[str, dict[str, Any]] = spec["spec"]["connectionSpecification"]["properties"]
    inside = (option["properties"].items() for option in properties["connection"]["oneOf"])
    return properties | {name: {**schema, "owner": "connection"} for option in inside for name, schema in option}


def label_of(name: str) -> str:
    """Return what messages call a property: its title in the form, and its path."""
    owner = schemas()[name].get("owner")
    title = schemas()[name].get("title") or schemas()["connection"]["title"]
    return f'"{title}" ({owner}.{name})' if owner else f'"{title}" ({name})'


def parse_config(raw: Mapping[str, Any]) -> Config:
    """Read a raw configuration. Raises the config error of the first mistake, in the order of the form."""
    if not isinstance(raw, Mapping):
        raise invalid_configuration("The configuration must be a JSON object.")
    form = _Section(raw, label_of)
    names = [name for name, schema in schemas().items() if "owner" not in schema]
    options = {name: _READERS.get(name, _Section.option)(form, name) for name in names}
    method, logins = options.pop("connection")
    seconds = options.pop("data_timeout_minutes") * 60
    return Config(method=method, logins=logins, data_timeout_seconds=seconds, **options)


def notices(raw: Any) -> list[str]:
    """Return a sentence for each slip that a valid configuration may hold: unknown names, an address without a path."""
    if not isinstance(raw, Mapping):
        return []
    unknown = []
    for values, owner, where in ((raw, None, ""), (raw.get("connection"), "connection", " in connection")):
        names = [name for name, schema in schemas().items() if schema.get("owner") == owner]
        for name in values if isinstance(values, Mapping) else ():
            if name not in names and not str(name).startswith("_"):  # the platform's own names begin so
                near = difflib.get_close_matches(str(name).lower().replace("-", "_"), names, 1)
                unknown.append(f"{pasted.shown_name(name)}{where}" + (f' (did you mean "{near[0]}"?)' if near else ""))
    found = [f"Unknown options in the configuration: {', '.join(unknown)}."] if unknown else []
    address = raw.get("api_url")
    parts = _split(address.strip() if isinstance(address, str) else "")
    if parts.netloc and not parts.path.strip("/"):
        found.append(f"{label_of('api_url')} has no path: the provider's own address ends with /api/v1.")
    return found


def _logins(form: _Section, name: str) -> tuple[str, tuple[Login, ...]]:
    """Return how the logins are given, and the logins."""
    form.demand(name)
    raw, environment = form.values[name], form.values["environment"]
    form.expect(isinstance(raw, Mapping), name, f'must be an object whose "method" is one of {", ".join(_METHODS)}')
    connection = _Section(raw, label_of)
    method = connection.choice("method", _METHODS)
    if method != "fleet":
        return method, (_login(connection, method, environment),)
    connection.demand("connections")
    listed = connection.values["connections"]
    try:
        entries = pasted.read_entries(listed if isinstance(listed, list) else connection.text("connections"))
    except pasted.UnreadableError as error:
        raise connection.refused("connections", str(error)) from None
    named = [_entry(number, entry, environment) for number, entry in enumerate(entries, start=1)]
    for what, identity in _IDENTITIES:
        seen: dict[object, str] = {}
        for label, login in named:
            if (found := identity(login)) and (first := seen.setdefault(found, label)) != label:
                raise invalid_configuration(f"{_PASTED_LIST}, {first} and {label} {what}.")
    return method, tuple(login for _, login in named)


def _same_login(login: Login) -> object:
    fields = sorted((login.fields or {}).items())
    return login.source_id and (login.source_id, (login.username or "").lower(), *fields)


# What two entries of a list may not have in common, unless it is empty.
_IDENTITIES: tuple[tuple[str, Callable[[Login], object]], ...] = (
    ("have the same key: give each a name of its own", lambda one: one.key),
    ("have keys that differ in case only, which many warehouses merge: rename one", lambda one: one.key.casefold()),
    ("are the same login at the same utility: keep one of them", _same_login),
    ("have the same access token: keep one of them", lambda one: one.access_token),
)


def _entry(number: int, entry: object, environment: str) -> tuple[str, Login]:
    """Return what messages call an entry (with its position, as two may share a key), and its login."""
    if not isinstance(entry, Mapping):
        raise invalid_configuration(f"{_PASTED_LIST}, entry {number} must be an object of names and values.")
    key, name = entry.get("key"), f"entry {number}"
    if isinstance(key, str) and key.strip() and not _wrong_key(key.strip(), entry):
        name += f' ("{key.strip()}")'
    for column in entry:
        if column not in pasted.FLEET_COLUMNS:
            unknown = f"has an unknown property {pasted.shown_name(column)} (known are {pasted.KNOWN})"
            raise invalid_configuration(f"{_PASTED_LIST}, {name} {unknown}.")
    section = _Section(entry, lambda column: f"{_PASTED_LIST}, {column} of {name}")
    given = section.values.keys()
    method = "access_token" if "access_token" in given else "login"
    if "method" in given:
        method = section.choice("method", _METHODS[:2])
    if "access_token" in given and (method == "login" or given & {"username", "password", "login_fields"}):
        raise section.refused("access_token", "stands beside a login: keep the access token or the login, not both")
    return name, _login(section, method, environment, is_listed=True)


def _login(section: _Section, method: str, environment: str, *, is_listed: bool = False) -> Login:
    """Read an access token, which must belong to the environment, or a login at a utility."""
    if method == "access_token":
        token = section.text("access_token").strip()
        # The form of a token is documented (API notes, section 1.4); the provider judges one of another form.
        if match := _TOKEN_ENVIRONMENT.match(token):
            found = match[1].lower()
            other = f"is of the {found} environment, but Environment (environment) is {environment}"
            section.expect((found == "sandbox") == (environment == "sandbox"), "access_token", other)
        choose = "choose a name for this connection that never changes" if is_listed else ""
        return Login(_key(section, choose, token), access_token=token)
    source_id = section.text("source_id").lower()
    fields, username, password = _login_fields(section), None, None
    if fields is None:
        username, password = section.text("username").strip(), section.text("password")
    choose = "choose a name for this login that never changes" if is_listed or fields is not None else ""
    key = _key(section, choose, source_id, (username or "").lower())
    return Login(key, source_id, username, password, fields, attempt=section.option("attempt"))


def _login_fields(section: _Section) -> dict[str, str] | None:
    name, fields = "login_fields", section.values.get("login_fields")
    if fields is None:
        return None
    is_alone = not section.values.keys() & {"username", "password"}
    section.expect(is_alone, name, f"stands beside username or password: {_RULES['username']['missing']}")
    if isinstance(fields, str):
        try:
            fields = pasted.read_json(section.text(name))
        except pasted.UnreadableError as error:
            raise section.refused(name, str(error)) from None
    example = '{"pin": "1234"}'
    is_object = isinstance(fields, Mapping) and fields
    section.expect(is_object, name, f"must be a JSON object with at least one field, such as {example}")
    for key, value in fields.items():
        shown = pasted.shown_name(key)
        as_text = f"must give the field {shown} as text in quotes (a number loses its leading zeros)"
        asterisks = f"has only asterisks in the field {shown}: enter its value again"
        section.expect(isinstance(key, str) and key.strip(), name, "has a field without a name")
        section.expect(isinstance(value, str), name, as_text)
        section.expect(pasted.is_whole(key + value), name, _HALF)
        section.expect(not pasted.is_masked(value), name, asterisks)
    return dict(fields)


def _key(section: _Section, demand: str, *parts: str) -> str:
    """Return the key of an entry, by default digits made of what tells the login from others."""
    key = section.text("key", demand).strip() or hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
    section.expect(not (wrong := _wrong_key(key, section.values)), "key", wrong)
    return key


def _wrong_key(key: str, beside: Mapping[str, Any]) -> str:
    """Return what is wrong with a key, which stands in every table and message, beside the values of its entry."""
    if len(key) > _LONGEST_KEY or not key.isprintable():
        return f"must be one line of at most {_LONGEST_KEY} visible characters"
    secrets = [value.strip() for name in ("password", "access_token") if isinstance(value := beside.get(name), str)]
    return "repeats a secret: choose a name that may be seen in every table" if key in secrets else ""


def _day(form: _Section, name: str) -> str | None:
    value = form.text(name).strip()
    with suppress(ValueError):
        if not value or date.fromisoformat(value).isoformat() == value:
            return value or None
    raise form.refused(name, "must be a date written as YYYY-MM-DD, for example 2023-01-31")


def _api_url(form: _Section, name: str) -> str:
    text = form.text(name).strip()
    if not text:
        return _ADDRESSES[form.values["environment"]]
    # urlsplit silently drops line ends and tabs, and other readers take a backslash for a slash.
    is_plain, parts = re.fullmatch(r"[!-~]+", text) and not set(text) & set("\\?#@"), _split(text)
    host, path, is_https = parts.hostname or "", parts.path, parts.scheme == "https"
    no_address = "must be an address such as https://live.deck.co/api/v1, without login, query or fragment"
    form.expect(is_plain and host and parts.scheme in ("http", "https"), name, no_address)
    not_safe = "must begin with https:// (http:// is for this machine only: localhost, 127.0.0.1)"
    form.expect(is_https or _is_loopback(host), name, not_safe)
    form.expect("//" not in path.rstrip("/"), name, "has a slash too many in its path")
    form.expect(path.strip("/") or not host.endswith("deck.co"), name, "has no path: it must end with /api/v1")
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


# Options whose schema and rule do not say all. The words of `parsing_method` are in the order of its message.
_READERS: dict[str, Callable[[_Section, str], Any]] = {
    "connection": _logins,
    "start_date": _day,
    "pseudonym_key": lambda form, name: form.text(name) if form.values.get("personal_data") in ("hash", "drop") else "",
    "parsing_method": lambda form, name: form.choice(name, ("PdfOnly", "Basic", "FullSustainability", "None")) or None,
    "api_url": _api_url,
}
