"""What is remembered of each login from run to run, and whether it may be submitted now. No input or output.

The configuration's hidden property `links` holds it as a JSON object (the platform stores it as a secret):

    {"salt": "…", "connections": {key: {"access_token", "connection_id", "identity", "login", "submitted", "refused"}}}

    nothing known ──announce──► submitted ──remember──► token known ──────────────► used by every later run
         ▲                       │     │                    │  other password ──announce──► update, token kept
         │                       │     └──refuse──► refused: never again until the login changes
         │                       └─ twice in 24 hours without a token: not again before they have passed
         └── other identity (utility, username, environment, client id): the old link is set aside

A login is precious: three wrong passwords can lock a customer's account (API notes, section 11). So the time of a
submission is written before the submission, and no run of ours submits a refused login again.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import Any, ClassVar

from source_linkless.clock import Now, hours_since, is_later, stamp
from source_linkless.config.config import Config
from source_linkless.config.logins import Login, is_whole
from source_linkless.errors import invalid_configuration

_TOKEN_BYTES, _LINK_BYTES = 160, 360
"""What the exchange adds to an entry, and what one more entry takes with its token and its connection."""
_CONNECTION_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)
_HOURS, _TIMES = 24, 2
_DIGITS = 16


class Step(Enum):
    """How a login becomes a connection now."""

    USE = "use the token"
    LINK = "link it again"
    UPDATE = "update the credentials of its connection"
    REFUSED = "refused before, and nothing has changed since"
    EXHAUSTED = "submitted twice within 24 hours"


@dataclass(frozen=True, slots=True)
class Link:
    """What is remembered of one login. The fingerprints tell changes apart; they hold no secret."""

    identity: str
    login: str
    access_token: str | None = None
    connection_id: str | None = None
    submitted: tuple[str, ...] = ()
    refused: str | None = None
    updating: bool | None = None
    """True from the announcement of an update until the provider has taken it."""

    def __repr__(self) -> str:
        """Never show the token."""
        return f"Link(identity={self.identity!r}, submitted={self.submitted!r}, refused={self.refused!r})"


_NAMES = tuple(field.name for field in fields(Link))


class Links:
    """The links of one configuration during one run; the only owner of them."""

    LIMIT_BYTES: ClassVar[int] = 60_000
    """Secret stores commonly take 64 KiB for one value; beyond this size we warn."""

    def __init__(self, config: Config, now: Now, new_salt: Callable[[], str]) -> None:
        """Read `config.links`; raise a config error, so that nothing is submitted, when it cannot be trusted."""
        self._config, self._now = config, now
        known = _read(config.links)
        self._salt, self._was_written = known["salt"] or new_salt(), bool(known["salt"])
        self._links: dict[str, Link] = known["connections"]
        self._asked_again: dict[str, Link] = {}
        self._configured = {login.key for login in config.logins}
        self._marks: dict[str, tuple[Login, str, str]] = {}

    def notice(self) -> str | None:
        """Return a sentence when links were written before and some logins have none: they are submitted again."""
        logins = [login for login in self._config.logins if not login.access_token]
        missing = sum(login.key not in self._links for login in logins)
        if not (missing and self._was_written):
            return None
        return (
            f"'links' remembers nothing of {missing} of {len(logins)} logins, so they are submitted to their "
            "utilities. This is right for new logins; if entries were removed from 'links', restore it."
        )

    def step(self, login: Login) -> Step:
        """Tell how this login becomes a connection now."""
        link = self._current(login)
        if login.access_token:
            return Step.USE
        submit = Step.UPDATE if link and link.access_token else Step.LINK
        if link is None or link.login != self._fingerprint(login):
            return submit
        if link.access_token and not link.updating:
            return Step.USE
        if link.refused:
            return Step.REFUSED
        return submit if self.may_submit(login) else Step.EXHAUSTED

    def token(self, login: Login) -> str | None:
        """Return the access token of this login, the user's own first."""
        link = self._current(login)
        return login.access_token or (link.access_token if link else None)

    def connection_id(self, login: Login) -> str | None:
        """Return the provider's id of the connection of this login, as far as it is remembered."""
        link = self._current(login)
        return link.connection_id if link else None

    def refused(self, login: Login) -> str | None:
        """Return the provider's word if this login, as it is configured now, was refused."""
        link = self._current(login)
        return link.refused if link and link.login == self._fingerprint(login) else None

    def may_submit(self, login: Login) -> bool:
        """Tell whether this login, unchanged, may reach the utility once more: not refused, not twice in 24 hours."""
        link = self._current(login)
        if link is None or link.login != self._fingerprint(login):
            return True
        return link.refused is None and len(self._recent(link)) < _TIMES

    def announce(self, login: Login) -> None:
        """Note that this login is about to be submitted; to be written before it is."""
        link = self._current(login)
        fingerprint, now = self._fingerprint(login), stamp(self._now())
        if link is None:
            link = Link(self._identity(login), fingerprint)
        if link.login != fingerprint:
            link = replace(link, login=fingerprint, submitted=(), refused=None)
        updating = True if link.access_token and self.step(login) is Step.UPDATE else None
        self._links[login.key] = replace(link, submitted=(*link.submitted, now)[-_TIMES:], updating=updating)

    def withdraw(self, login: Login) -> None:
        """Take an announcement back: the login certainly did not reach the utility."""
        link = self._links[login.key]
        before = self._asked_again.pop(login.key, None)  # what only a person wanted is not left to the next sync
        self._links[login.key] = before or replace(link, submitted=link.submitted[:-1])

    def remember(self, login: Login, access_token: str | None = None, connection_id: str | None = None) -> None:
        """Note that the provider took the login; `access_token` is None when an update kept the old one."""
        link = self._links[login.key]
        self._asked_again.pop(login.key, None)
        if access_token is not None:
            link = replace(link, access_token=access_token, connection_id=_usable(connection_id))
        self._links[login.key] = replace(link, updating=None)

    def note_connection(self, login: Login, connection_id: str) -> None:
        """Note the id of the connection of a linked login, as its status tells it."""
        link = self._current(login)
        if link is not None and link.access_token and _usable(connection_id):
            self._links[login.key] = replace(link, connection_id=connection_id)

    def refuse(self, login: Login, reason: str) -> None:
        """Note that the login needs a person; it is not submitted again until it changes."""
        link = self._current(login)
        if link is not None and (link.refused is None or link.updating):
            self._links[login.key] = replace(link, refused=reason, updating=None)

    def recovered(self, login: Login, since: str | None) -> None:
        """Note that a session which is newer than our last submission went well: somebody has helped the login."""
        link = self._current(login)
        if link and link.refused and link.submitted and is_later(since, link.submitted[-1]):
            self._links[login.key] = replace(link, refused=None)

    def ask_again(self, login: Login) -> None:
        """Take an unchanged login, refused or linked, as changed: a person is there and wants it submitted now."""
        link = self._current(login)
        if link is not None:
            self._asked_again[login.key] = link
            updating = True if link.access_token else None
            self._links[login.key] = replace(link, submitted=(), refused=None, updating=updating)

    def drop(self, login: Login) -> None:
        """Forget everything about a login that is no longer configured."""
        self._links.pop(login.key, None)

    def forget_token(self, login: Login) -> None:
        """Set a token aside that the provider does not know any more."""
        self._links[login.key] = replace(self._links[login.key], access_token=None, connection_id=None, updating=None)

    def has_room(self) -> bool:
        """Tell whether one more link fits into what secret stores take, beside the tokens of those announced."""
        to_come = sum(link.access_token is None for link in self._links.values())
        return len(self.dump()) + to_come * _TOKEN_BYTES + _LINK_BYTES <= self.LIMIT_BYTES

    def dump(self) -> str:
        """Write the links as the value of the property `links`; departed keys only while there is room."""
        text = self._json(self._links)
        if len(text) > self.LIMIT_BYTES:
            text = self._json({key: link for key, link in self._links.items() if key in self._configured})
        return text

    def _json(self, links: dict[str, Link]) -> str:
        entries = {
            key: {name: value for name in _NAMES if (value := getattr(link, name)) not in (None, ())}
            for key, link in links.items()
        }
        return json.dumps({"salt": self._salt, "connections": entries}, separators=(",", ":"))

    def _current(self, login: Login) -> Link | None:
        """Return the link of this login's key unless it belongs to another identity."""
        link = self._links.get(login.key)
        return link if link and link.identity == self._identity(login) else None

    def _recent(self, link: Link) -> list[str]:
        ages = ((at, hours_since(at, self._now())) for at in link.submitted)
        return [at for at, hours in ages if hours is None or hours < _HOURS]

    def _identity(self, login: Login) -> str:
        return self._marks_of(login)[1]

    def _fingerprint(self, login: Login) -> str:
        return self._marks_of(login)[2]

    def _marks_of(self, login: Login) -> tuple[Login, str, str]:
        """Compute both once in a run, as every look at a link compares them; a corrected login is another one."""
        marks = self._marks.get(login.key)
        if marks is None or marks[0] is not login:
            who = login.access_token or (login.username or "").strip().lower() or sorted(login.fields or {})
            identity = self._hash(self._config.environment, self._config.client_id, login.source_id, who)
            fields = sorted((login.fields or {}).items())
            marks = login, identity, self._hash(identity, login.password, fields, login.attempt)
            self._marks[login.key] = marks
        return marks

    def _hash(self, *parts: object) -> str:
        message = json.dumps(parts).encode()
        return hmac.digest(self._salt.encode(), message, "sha256").hex()[:_DIGITS]


def _usable(connection_id: str | None) -> str | None:
    """Return an id that is short and plain enough to be kept in the configuration, else None."""
    return connection_id if connection_id and _CONNECTION_ID.fullmatch(connection_id) else None


_ADVICE = "Restore it from the last configuration that worked, or empty it to link every login once more."


def _read(text: str) -> dict[str, Any]:
    if text and not text.strip("* "):
        message = f"'links' was masked by a form or an export: it holds only asterisks. {_ADVICE}"
        raise invalid_configuration(message)
    try:
        value = json.loads(text or "{}")
        connections = {key: _link(entry) for key, entry in value.get("connections", {}).items()}
        salt = value.get("salt")
        if not (salt is None or _is_text(salt)) or (connections and not salt):
            raise ValueError  # noqa: TRY301 - one message for everything that cannot be read
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        message = f"'links', where the connector remembers its links, cannot be read; nothing was submitted. {_ADVICE}"
        raise invalid_configuration(message) from None  # the cause would quote the tokens
    return {"salt": salt, "connections": connections}


def _link(entry: dict[str, Any]) -> Link:
    texts = {name: entry.get(name) for name in ("access_token", "connection_id", "refused")}
    submitted = tuple(entry.get("submitted", ()))
    known = [entry["identity"], entry["login"], *submitted, *(text for text in texts.values() if text is not None)]
    if not all(_is_text(text) and text.strip("*") for text in known):
        raise ValueError
    updating = True if entry.get("updating") else None
    return Link(entry["identity"], entry["login"], submitted=submitted, updating=updating, **texts)


def _is_text(value: object) -> bool:
    """Tell whether a value is text that can be sent; half a surrogate pair cannot."""
    return isinstance(value, str) and is_whole(value)
