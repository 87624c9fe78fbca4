"""What is remembered of each login from run to run, and whether it may be submitted now. No input or output.

The configuration's hidden property `links` holds it as a JSON object (the platform stores it as a secret):

    {"salt": "…", "connections": {key: {"access_token", "connection_id", "identity", "login", "submitted", "refused"}}}

    nothing known ──announce──► submitted ──remember──► token known ──────────────► used by every later run
         ▲                       │     │                    │  other password ──announce──► update, token kept
         │                       │     └──refuse──► refused: never again until the login changes
         │                       └─ twice in 24 hours without a token: not again before they have passed
         └── other identity (utility, username, environment, client id): the old link is set aside

Three wrong passwords can lock a customer's account (API notes, section 11). So the time of a submission is written
before the submission, and no run submits a refused login again.
"""

import hmac
import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache
from typing import Any, ClassVar

from source_linkless.clock import Now, hours_since, parse_moment, stamp
from source_linkless.config.config import Config, Login
from source_linkless.config.logins import is_masked, is_whole
from source_linkless.errors import invalid_configuration

# What the exchange adds to an entry, and what one more entry takes with its token and its connection.
_TOKEN_BYTES, _LINK_BYTES = 160, 360
_CONNECTION_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)
_HOURS, _TIMES, _DIGITS = 24, 2, 16


class Step(Enum):
    """How a login becomes a connection now."""

    USE = "use the token"
    LINK = "link it again"
    UPDATE = "update the credentials of its connection"
    REFUSED = "refused before, and nothing has changed since"
    EXHAUSTED = "submitted twice within 24 hours"


@dataclass(repr=False)
class Link:
    """What is remembered of one login. The fingerprints `identity` and `login` tell changes apart; they hold no secret.

    `login` is empty while nothing is known. `updating` is True from the announcement of an update until the provider
    has taken it. `before` is not written: it is the link before a person asked for one more submission.
    """

    identity: str
    login: str
    access_token: str | None = None
    connection_id: str | None = None
    submitted: tuple[str, ...] = ()
    refused: str | None = None
    updating: bool = False
    before: "Link | None" = None


class Links:
    """The links of one configuration during one run; the only owner of them."""

    LIMIT_BYTES: ClassVar[int] = 60_000  # secret stores commonly take 64 KiB for one value; beyond this we warn

    def __init__(self, config: Config, now: Now, new_salt: Callable[[], str]) -> None:
        """Read `config.links`; raise a config error, so that nothing is submitted, when it cannot be trusted."""
        self._config, self._now = config, now
        salt, self._links = _read(config.links)
        self._salt, self._was_written = salt or new_salt(), bool(salt)
        self._marks_of = cache(self._computed_marks)  # every look at a link compares them

    def notice(self) -> str | None:
        """Return a sentence when links were written before and some logins have none: they are submitted again."""
        logins = [login for login in self._config.logins if not login.access_token]
        missing = sum(login.key not in self._links for login in logins)
        sentence = (
            f"'links' remembers nothing of {missing} of {len(logins)} logins, so they are submitted to their "
            "utilities. This is right for new logins; if entries were removed from 'links', restore it."
        )
        return sentence if missing and self._was_written else None

    def step(self, login: Login) -> Step:
        """Tell how this login becomes a connection now."""
        link = self._link(login)
        if login.access_token or (link.access_token and not link.updating and not self._has_changed(login)):
            return Step.USE
        if self.may_submit(login):
            return Step.UPDATE if link.access_token else Step.LINK
        return Step.REFUSED if link.refused else Step.EXHAUSTED

    def token(self, login: Login) -> str | None:
        """Return the access token of this login, the user's own first."""
        return login.access_token or self._link(login).access_token

    def connection_id(self, login: Login) -> str | None:
        """Return the provider's id of the connection of this login, as far as it is remembered."""
        return self._link(login).connection_id

    def refused(self, login: Login) -> str | None:
        """Return the reason code if this login, as it is configured now, was refused."""
        return None if self._has_changed(login) else self._link(login).refused

    def may_submit(self, login: Login) -> bool:
        """Tell whether this login, unchanged, may reach the utility once more: not refused, not twice in 24 hours."""
        link, now = self._link(login), self._now()
        # A time that cannot be read counts as a recent one.
        recent = sum((hours_since(at, now) or 0) < _HOURS for at in link.submitted)
        return self._has_changed(login) or (link.refused is None and recent < _TIMES)

    def announce(self, login: Login) -> None:
        """Note that this login is about to be submitted; to be written before it is."""
        link, updating = self._link(login), self.step(login) is Step.UPDATE
        if self._has_changed(login):
            link.login, link.submitted, link.refused = self._marks_of(login)[1], (), None
        link.submitted, link.updating = (*link.submitted, stamp(self._now()))[-_TIMES:], updating
        self._links[login.key] = link

    def withdraw(self, login: Login) -> None:
        """Take an announcement back: the login certainly did not reach the utility."""
        link = self._links[login.key]
        link.submitted = link.submitted[:-1]
        self._links[login.key] = link.before or link  # what only a person wanted is not left to the next sync

    def remember(self, login: Login, access_token: str | None = None, connection_id: str | None = None) -> None:
        """Note that the provider took the login; `access_token` is None when an update kept the old one."""
        link = self._links[login.key]
        link.updating, link.before = False, None
        if access_token is not None:
            link.access_token, link.connection_id = access_token, None
            self.note_connection(login, connection_id)

    def note_connection(self, login: Login, connection_id: str | None) -> None:
        """Note the id of the connection of a linked login, if it is short and plain enough to be kept."""
        link = self._link(login)
        if link.access_token and connection_id and _CONNECTION_ID.fullmatch(connection_id):
            link.connection_id = connection_id

    def refuse(self, login: Login, reason: str) -> None:
        """Note that the login needs a person; it is not submitted again until it changes."""
        link = self._link(login)
        if link.refused is None or link.updating:
            link.refused, link.updating = reason, False

    def recovered(self, login: Login, since: str | None) -> None:
        """Forget the refusal if a session newer than our last submission went well: a person has resolved it."""
        link, began = self._link(login), parse_moment(since)
        if link.refused and link.submitted and began and (hours_since(link.submitted[-1], began) or 0) > 0:
            link.refused = None

    def ask_again(self, login: Login) -> None:
        """Let an unchanged login, refused or linked, be submitted once more now, because a person asked for it."""
        link = self._link(login)
        link.before = link.before or replace(link)
        link.submitted, link.refused, link.updating = (), None, bool(link.access_token)

    def drop(self, login: Login) -> None:
        """Forget everything about a login that is no longer configured."""
        self._links.pop(login.key, None)

    def forget_token(self, login: Login) -> None:
        """Set a token aside that the provider does not know any more."""
        link = self._link(login)
        link.access_token, link.connection_id, link.updating = None, None, False

    def has_room(self) -> bool:
        """Tell whether one more link fits into what secret stores take, beside the tokens of those announced."""
        to_come = sum(link.access_token is None for link in self._links.values())
        return len(self.dump()) + to_come * _TOKEN_BYTES + _LINK_BYTES <= self.LIMIT_BYTES

    def dump(self) -> str:
        """Write the links as the value of the property `links`; departed keys only while there is room."""
        text = self._written(self._links)
        if len(text) > self.LIMIT_BYTES:
            text = self._written({login.key for login in self._config.logins})
        return text

    def _written(self, keys: Collection[str]) -> str:
        kept = ((key, vars(link)) for key, link in self._links.items() if key in keys)
        entries = {key: {name: it for name, it in link.items() if it and name != "before"} for key, link in kept}
        return json.dumps({"salt": self._salt, "connections": entries}, separators=(",", ":"))

    def _link(self, login: Login) -> Link:
        """Return the link of this login's key; if there is none, or one of another identity, an empty one, not kept."""
        link, identity = self._links.get(login.key), self._marks_of(login)[0]
        return link if link and link.identity == identity else Link(identity, login="")

    def _has_changed(self, login: Login) -> bool:
        """Tell whether a login has another fingerprint than it was submitted with, or was never submitted."""
        return self._link(login).login != self._marks_of(login)[1]

    def _computed_marks(self, login: Login) -> tuple[str, str]:
        """Return identity and fingerprint of a login."""
        who = login.access_token or (login.username or "").strip().lower() or sorted(login.fields or {})
        identity = self._hash(self._config.environment, self._config.client_id, login.source_id, who)
        return identity, self._hash(identity, login.password, sorted((login.fields or {}).items()), login.attempt)

    def _hash(self, *parts: object) -> str:
        return hmac.digest(self._salt.encode(), json.dumps(parts).encode(), "sha256").hex()[:_DIGITS]


_TEXTS = ("identity", "login", "access_token", "connection_id", "refused")
_ADVICE = "Restore it from the last configuration that worked, or empty it to link every login once more."


def _read(text: str) -> tuple[str, dict[str, Link]]:
    if is_masked(text):
        raise invalid_configuration(f"'links' was masked by a form or an export: it holds only asterisks. {_ADVICE}")
    try:
        value, links = json.loads(text or "{}"), {}
        for key, entry in value.get("connections", {}).items():
            known: dict[str, Any] = {name: _text(entry[name]) for name in _TEXTS if entry.get(name) is not None}
            submitted = tuple(_text(at) for at in entry.get("submitted", ()))
            links[key] = Link(**known, submitted=submitted, updating=bool(entry.get("updating")))
        salt = value.get("salt")
        return _text(salt) if links or salt not in (None, "") else "", links
    except (ValueError, TypeError, AttributeError, RecursionError):
        message = f"'links', where the connector remembers its links, cannot be read; nothing was submitted. {_ADVICE}"
        raise invalid_configuration(message) from None  # the cause would quote the tokens


def _text(value: object) -> str:
    """Return a text that can be sent and was not masked. Raises ValueError for anything else."""
    if not (isinstance(value, str) and is_whole(value) and value.strip("*")):
        raise ValueError
    return value
