"""What a run tells its consumer, in order, and the secrets of a login that must not stand in it."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from source_linkless.config import Login
from source_linkless.provider import Body, Context, StatementFile
from source_linkless.provider.outcomes import KNOWN, Outcome

FEW_LOGINS = 20  # up to so many, each has lines of its own in the log; of more, there are counts and what is wrong
NOT_ASKED_YET = "NOT_ASKED_YET"  # reason of a login whose first request has not had its turn under the rate limit


@dataclass(frozen=True, slots=True)
class LinksChanged:
    """The value of the property `links` that must be written back before anything else happens."""

    links: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class WantedFile:
    """A bill whose file is to be asked for; `mark` stands for its content in the state of `statement_files`.

    One that `has_failed` in an earlier sync is asked for last, so that it delays nothing else.
    """

    statement_id: str
    account_number: str
    statement_key: str
    billing_date: str | None
    mark: str
    has_failed: bool = False


@dataclass(slots=True)
class Delivered:
    """The document of a connection, undecoded; acknowledging it frees its memory, or its file, for the next.

    The consumer says in it what it has found, before it acknowledges: the number of `accounts`, None when the document
    could not be read completely, and the `files` to ask for after the login has ended, in this order.
    """

    login: Login
    connection_id: str | None
    body: Body = field(repr=False)
    accounts: int | None = None
    files: Sequence[WantedFile] = ()


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of one login in this run; comes once for every configured login, after its document.

    `waited` is the seconds from the start of the run to the document or the failure.
    """

    login: Login
    outcome: Outcome
    connection_id: str | None
    context: Context | None
    waited: float


@dataclass(frozen=True, slots=True)
class FileAnswered:
    """The answer for the file of a bill, after the login's Finished: the file, or the outcome without one."""

    login: Login
    wanted: WantedFile
    file: StatementFile | None
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Waiting:
    """One login that is being waited for: its key, the provider's latest reason code, the seconds so far.

    An event when the login has reached the next step; told only when there are few logins, never once per poll.
    """

    key: str
    reason: str
    seconds: float

    def __str__(self) -> str:
        """Return the line that a log shows of this wait."""
        return f"{self.key}: {self.reason} ({self.seconds:.0f} s)"


@dataclass(frozen=True, slots=True)
class Progress:
    """Once a minute: how far the run is. `counts` by status; `slowest` are the longest waits, longest first.

    With `heartbeat`, every few minutes, the states are repeated, so that the platform sees that the sync is alive.
    """

    counts: dict[str, int]
    slowest: Sequence[Waiting]
    heartbeat: bool


@dataclass(frozen=True, slots=True)
class StillWaiting:
    """The logins that a person still waits for, a few times a second."""

    logins: Sequence[Waiting]


@dataclass(frozen=True, slots=True)
class Stopping:
    """A person has interrupted the run: every wait ends, and what is being submitted is finished first."""


Event = LinksChanged | Delivered | Finished | FileAnswered | Progress | Waiting | StillWaiting | Stopping

_MASK = "****"
_UNICODE_ESCAPE = re.compile(rb"\\u")  # finds it three times as fast as `bytes.find`
_SHORTEST_IN_TEXT, _SHORTEST_IN_DOCUMENT = 4, 8
# Names of login fields that are no account or customer number, which every bill repeats.
_CREDENTIAL = re.compile("pass|pwd|secret|token|pin|code|answer", re.IGNORECASE)
# The texts of the provider in what is told; the rest is ours.
_TEXTS = {Outcome: ("reason", "detail"), Context: ("connection_id", "source_id", "source_name", "reason")}
Told = TypeVar("Told", Outcome, Context)


class Echoes:
    """The secrets of one login, should the provider say them back: they stay out of rows, messages and documents.

    In texts, every secret is hidden. In documents, what no bill holds by chance: `keys`, which are the client secret
    and the tokens, anywhere, and a password where it is the whole of a value. Short ones and bare numbers stay there:
    they cannot be told from data, and a masked account number would be another account.
    """

    def __init__(self, login: Login, keys: Sequence[str]) -> None:
        typed = [("password", login.password or ""), *(login.fields or {}).items()]
        every = {one for one in (*keys, *(value for _, value in typed)) if len(one) >= _SHORTEST_IN_TEXT}
        self._in_texts = sorted(every, key=len, reverse=True)  # one that is part of another would leave its rest
        # Each with the quotes that must stand around it.
        self._in_documents = [(key, b"") for key in keys] + [
            (value, b'"')
            for name, value in typed
            if _CREDENTIAL.search(name) and len(value) >= _SHORTEST_IN_DOCUMENT and not value.isdecimal()
        ]

    def hidden(self, told: Told) -> Told:
        """Return an outcome or a status without secrets."""
        texts: dict[str, Any] = {name: self.text(getattr(told, name)) for name in _TEXTS[type(told)]}
        return replace(told, **texts)

    def text(self, text: str | None) -> str | None:
        """Return a text without secrets; a code of the contract stays legible, whatever the password is."""
        if text and text not in KNOWN:
            for secret in self._in_texts:
                text = text.replace(secret, _MASK)
        return text

    def document(self, body: Body) -> Body:
        r"""Return a document without secrets; one that has none, as good as every one, is not copied.

        A search for a plain text is many times as fast, so a document without any `\u` is searched for those alone.
        """
        is_escaped = _UNICODE_ESCAPE.search(body) is not None
        for secret, quote in self._in_documents:
            plain = quote + json.dumps(secret, ensure_ascii=False)[1:-1].encode(errors="surrogatepass") + quote
            if is_escaped or any(body.find(form) >= 0 for form in {plain, plain.replace(b"/", b"\\/")}):
                spelled = re.compile(quote + b"".join(map(_spellings, secret)) + quote)
                if spelled.search(body):
                    body = spelled.sub(quote + _MASK.encode() + quote, bytes(body))
        return body


def _spellings(character: str) -> bytes:
    r"""Return a pattern for all ways in which JSON may write a character: as it is, `\n`, `\u000a`, `\u000A`."""
    units = character.encode("utf-16-be", errors="surrogatepass").hex()
    escaped = b"".join(rb"\\u(?i:%b)" % units[at : at + 4].encode() for at in range(0, len(units), 4))
    short = json.dumps(character, ensure_ascii=False)[1:-1]
    plain = {short, "\\/" if character == "/" else character} - {'"', "\\"}
    return b"(?:%b)" % b"|".join([escaped, *(re.escape(one.encode(errors="surrogatepass")) for one in plain)])
