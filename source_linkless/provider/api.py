"""The provider's API: one method per endpoint, one attempt per call.

Repeating and waiting belong to the caller. Every request is a POST with a JSON body, except the test of the keys (API
notes, section 1.2).
"""

import asyncio
import hashlib
import json
import mimetypes
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus
from pathlib import PurePosixPath
from sys import intern
from typing import Any

import orjson

from source_linkless.clock import seconds_until
from source_linkless.concurrency import RateLimit
from source_linkless.errors import Meaning, Problem, Then
from source_linkless.provider import outcomes
from source_linkless.provider.transport import LARGEST_ERROR, SUCCESSES, Answer, Body, Request, Transport

_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)  # a request id that may be logged
_CODE = re.compile(r"\w{1,64}", re.ASCII)  # may be passed on; a sentence is not: it could quote what was sent
_CONTENT_TYPE = re.compile(r"[a-z]{1,20}/[\w.+-]{1,60}", re.ASCII)
_BETWEEN_WORDS = re.compile(r"[\s.-]+")
_HALF_A_CHARACTER = re.compile("[\ud800-\udfff]")  # a surrogate: a text with one could not be sent back
_UNSAFE = re.compile(r"[^A-Za-z0-9._() -]+")  # what some file system or object store does not take in a name
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)  # names that Windows keeps
_LONGEST_NAME = 80
_LONGEST_RETRY_AFTER = 600.0  # most seconds that a `Retry-After` is obeyed; then the provider is asked again
_ERRORS = range(400, 600)


@dataclass(frozen=True, slots=True)
class Connection:
    """A linked login: its access token, which does not expire, and the id of the connection."""

    access_token: str = field(repr=False)
    connection_id: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """An account that can be chosen while linking (API notes, section 2.5)."""

    account_id: str
    number: str
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """Health of a connection (API notes, section 3.1); a field that is missing or unreadable is None.

    `since` is the time of the last change of status, as the provider writes it.
    """

    connection_id: str | None
    source_id: str | None
    source_name: str | None
    status: str | None
    reason: str | None
    since: str | None
    accounts: tuple[str, ...]
    account_count: int | None

    @property
    def meaning(self) -> Meaning:
        """What the status means for the login."""
        return outcomes.of_context(self.status, self.reason)

    @property
    def outcome(self) -> outcomes.Outcome:
        """The outcome of a login that ends with this status."""
        return outcomes.outcome(self.reason or self.status, self.meaning)


@dataclass(frozen=True, slots=True)
class StatementFile:
    """The original document of a bill, with its content type (`application/pdf` for nearly all)."""

    content: Body = field(repr=False)
    content_type: str

    def path(self, key: str, account_number: str, billing_date: str | None, statement_key: str) -> PurePosixPath:
        """Return `KEY/ACCOUNT/DATE STATEMENT.pdf`, of names that every file system takes and that lead nowhere else.

        The suffix is that of the content type. A name that has to be changed gets a part of its hash, so that two names
        stay different.
        """
        name = _safe_name(f"{billing_date} {statement_key}" if billing_date else statement_key)
        suffix = mimetypes.guess_extension(self.content_type) or ".bin"
        return PurePosixPath(_safe_name(key), _safe_name(account_number), name + suffix)


class Api:
    """The endpoints that the connector uses. Every method waits for the shared rate limit, and may raise Problem.

    `sending` is called just before each request is sent: until then nothing has left this process.
    """

    def __init__(self, transport: Transport, limit: RateLimit, sending: Callable[[], object] = lambda: None) -> None:
        self._transport, self._limit, self._sending = transport, limit, sending

    def noting(self, sending: Callable[[], object]) -> "Api":
        """Return the same API with another `sending`."""
        return Api(self._transport, self._limit, sending)

    async def test_keys(self) -> None:
        """Ask whether the keys are valid in this environment; has no side effect (API notes, section 1.2)."""
        await self._send(Request("/test/api_keys"))

    async def create_link_token(self, options: Mapping[str, Any]) -> str:
        """Open a link session (API notes, section 2.1); submits nothing to the utility."""
        return await self._text("link_token", _post("/link/token/create", **options))

    async def sources(self, link_token: str, **by: Any) -> list[dict[str, Any]]:
        """Return utilities by `source_id`, or by `search`, 3 to 255 characters of their name (API notes, section 2.6).

        Each has the names of its login fields. By `source_id` it is part of a submission, and goes first.
        """
        request = _post("/link/sources", link_token=link_token, **by)
        return _objects((await self._ask(request, first="source_id" in by)).get("sources"))

    async def connect(self, link_token: str, source_id: str, credentials: Mapping[str, Any]) -> str | None:
        """Submit a login; returns the public token, or None in update mode (API notes, section 2.2). Never repeat."""
        request = _post("/link/connect", once=True, link_token=link_token, source_id=source_id, **credentials)
        return _of_type((await self._ask(request)).get("public_token"), str) or None

    async def exchange(self, public_token: str) -> Connection:
        """Exchange the public token for the access token (API notes, section 2.3). Never repeat."""
        request = _post("/connection/public_token/exchange", once=True, public_token=public_token)
        answer = await self._ask(request, "access_token")
        return Connection(answer["access_token"], _of_type(answer.get("connection_id"), str))

    async def link_status(self, link_token: str) -> str:
        """Return the status of a login that is being linked (API notes, section 2.4)."""
        status = await self._text("status", _post("/link/connection/status", link_token=link_token))
        return _code(status) or "UNREADABLE_STATUS"

    async def question(self, link_token: str) -> str:
        """Return the text of the question that a login waits for an answer to (API notes, section 2.5)."""
        return await self._text("question", _post("/link/authentication/mfa/get", link_token=link_token))

    async def answer(self, link_token: str, answer: str) -> None:
        """Answer that question. Never repeat: a one-time code is valid once."""
        await self._send(_post("/link/authentication/mfa/answer", once=True, link_token=link_token, answer=answer))

    async def accounts(self, link_token: str) -> list[Account]:
        """Return the accounts to choose from (API notes, section 2.5)."""
        answer = await self._ask(_post("/link/account/list", link_token=link_token))
        return [
            Account(one["account_id"], str(one.get("account_number")), _of_type(one.get("account_address"), str))
            for one in _objects(answer.get("accounts"))
            if isinstance(one.get("account_id"), str)
        ]

    async def select_accounts(self, link_token: str, account_ids: Sequence[str]) -> None:
        """Choose accounts by their `account_id`. Never repeat."""
        await self._send(_post("/link/account/select", once=True, link_token=link_token, accounts=account_ids))

    async def destroy(self, access_token: str) -> None:
        """Delete a connection and all its data at the provider (API notes, section 3)."""
        await self._send(_post("/connection/destroy", access_token=access_token))

    async def context(self, access_token: str, *, later: bool = False) -> Context:
        """Return the health of a connection (API notes, section 3.1); `later` lets every other request go first."""
        answer = await self._ask(_post("/connection/context", access_token=access_token), later=later)
        provider = _of_type(answer.get("provider"), dict) or {}
        numbers = [entity.get("account_number") for entity in _objects(answer.get("entities"))]
        count = _of_type(answer.get("num_of_entities", answer.get("numOfEntities")), int)
        return Context(
            connection_id=_of_type(answer.get("connection_id"), str),
            source_id=_of_type(provider.get("id"), str),
            source_name=_of_type(provider.get("name"), str),
            status=_code(answer.get("connection_status")),
            reason=_code(answer.get("connection_status_reason")),
            since=_of_type(answer.get("connection_status_timestamp"), str),
            accounts=tuple(number for number in numbers if isinstance(number, str)),
            account_count=count if count is not None else (len(numbers) or None),
        )

    async def refresh(self, access_token: str) -> None:
        """Make the provider log in again with the stored credentials (API notes, section 3). Never repeat."""
        await self._send(_post("/connection/refresh", once=True, access_token=access_token))

    async def document(
        self, access_token: str, *, began: Callable[[], object] | None = None, first: bool = False
    ) -> Body:
        """Return everything the connection has, as an undecoded body (API notes, section 4).

        With `began`, which is called when the answer begins, the request waits for a free place for its document. With
        `first` it goes before the waiting requests of connections that have not been begun.
        """
        request = replace(_post("/sustainability/get", access_token=access_token), large=True)
        if began is not None:
            request = replace(request, began=partial(asyncio.get_running_loop().call_soon_threadsafe, began))
        return (await self._send(request, outcomes.OF_DOCUMENT, first=first, needs_place=began is not None)).body

    async def statement_file(self, access_token: str, statement_id: str) -> StatementFile:
        """Return the original document of a bill (`contract/openapi.yaml`); every other request goes first.

        Raises Problem with the status NO_DATA when the provider has none.
        """
        request = _post("/sustainability/statement/file", access_token=access_token, statement_id=statement_id)
        answer = await self._send(replace(request, large=True, accept="*/*"), outcomes.OF_FILE, later=True)
        content_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        start = answer.body[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
        if answer.body[:5] == b"%PDF-":
            content_type = "application/pdf"  # whatever the header says
        elif not start or start[:1] in b"{[<" or content_type.endswith(("json", "html", "xml")):
            raise _problem(answer, request)  # nothing, JSON and pages are answers, not files
        elif not _CONTENT_TYPE.fullmatch(content_type):
            content_type = "application/octet-stream"
        return StatementFile(answer.body, content_type)

    async def _text(self, name: str, request: Request) -> str:
        text: str = (await self._ask(request, name))[name]
        return text

    async def _ask(self, request: Request, needed: str = "", **turn: Any) -> dict[str, Any]:
        """Send a request that is answered by a JSON object, with a text under the name `needed`; return the object."""
        answer = await self._send(request, **turn)
        value = _decoded(answer.body)
        if not isinstance(value, dict):
            raise _problem(answer, request)
        text = _of_type(value.get(needed), str) or ""
        if needed and (not text or _HALF_A_CHARACTER.search(text)):
            raise Problem("UNEXPECTED_ANSWER", outcomes.UNKNOWN, detail=f"{request.path} without {needed}")
        return value

    async def _send(self, request: Request, special: Mapping[str, Meaning] | None = None, **turn: Any) -> Answer:
        """Send a request in its `turn` (see `RateLimit.take`); returns a success.

        `special`: codes, and `HTTP_` with the status of an answer without one, that mean something else here.
        """
        await self._limit.take(request.path, **{"first": request.once, **turn})  # a submission goes first
        self._sending()
        answer = await self._transport(request)
        problem = _problem_in(answer, request, special or {})
        if problem is None or problem.meaning.then is Then.WAIT:  # "not ready" is an answer like any other
            self._limit.went_well(request.path)
        elif problem.meaning.then is Then.SLOW_DOWN:
            self._limit.slow_down(request.path, problem.retry_after)
        if problem is not None:
            raise problem
        return answer


def _post(path: str, /, *, once: bool = False, **payload: Any) -> Request:
    return Request(path, orjson.dumps(payload), once=once)


def _problem_in(answer: Answer, request: Request, special: Mapping[str, Meaning]) -> Problem | None:
    """Return the problem that an answer tells: a status that is no success, or an error object under a success.

    A document counts as one under 200 only, or if there is a body: 202 and 204 without a body are not documents.
    """
    status = answer.status
    is_success = status in SUCCESSES
    if is_success and "encrypted" in answer.headers.get("content-type", ""):
        return _problem(answer, request, "ENCRYPTED_ANSWER")
    is_error, code = _error_in(answer.body)
    if is_success and not is_error and (status == HTTPStatus.OK or answer.body or not request.large):
        return None
    meaning = special.get(code or f"HTTP_{status}")
    if meaning is None and code is not None and code.isdecimal() and int(code) in _ERRORS:
        code, status = f"HTTP_{code}", int(code)  # a gateway that reports its HTTP status as the code
    return _problem(answer, request, code, meaning or outcomes.of_answer(code, status))


def _problem(answer: Answer, request: Request, code: str | None = None, meaning: Meaning = outcomes.UNKNOWN) -> Problem:
    """Make a problem with the ids for support, and `Retry-After`, a number of seconds or an HTTP date, in seconds."""
    headers = answer.headers
    named = ((name, headers.get(name, "")) for name in ("x-request-id", "x-deck-correlation-id", "cf-ray"))
    ids = [f"{name} {value}" for name, value in named if _ID.fullmatch(value)]
    written = headers.get("retry-after", "").strip()
    seconds = float(written) if written.isdecimal() else seconds_until(written, headers.get("date"))
    return Problem(
        f"HTTP_{answer.status}" if code is None else code,
        meaning,
        detail=", ".join([request.path, f"HTTP {answer.status}", *ids]),
        retry_after=None if seconds is None else min(seconds, _LONGEST_RETRY_AFTER),
    )


def _error_in(body: Body) -> tuple[bool, str | None]:
    """Tell whether a body is an error object, and its `error_code` if it is one that may be passed on.

    Codes have been seen in other spellings elsewhere: `product-not-ready`, `Product not ready`. They are returned in
    that of `ERROR_CODES`. A document is not decoded for it.
    """
    if not isinstance(body, bytes) or len(body) > LARGEST_ERROR or b'"error_code"' not in body:
        return False, None
    value = _decoded(body)
    code = value.get("error_code") if isinstance(value, dict) else None
    text = str(code) if isinstance(code, int) and code in _ERRORS else code
    known = _BETWEEN_WORDS.sub("_", text.strip()).upper() if isinstance(text, str) else ""
    return code not in (None, ""), intern(known) if known in outcomes.ERROR_CODES else _code(text)


def _code(value: Any) -> str | None:
    """Return a code or status that may be passed on, or None.

    The same code is the same object, however many thousand logins wait with it.
    """
    return intern(value) if isinstance(value, str) and _CODE.fullmatch(value) else None


def _decoded(body: Body) -> Any:
    """Return the value of a small answer; None for what is not JSON, or so large that it was not kept in memory.

    `json` reads NaN, 1e400 and a byte order mark too: a token must not be lost because of another field.
    """
    with suppress(ValueError, RecursionError):
        return json.loads(body) if isinstance(body, bytes) else None
    return None


def _objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects in an array; an empty list for anything else."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _of_type(value: Any, kind: type) -> Any:
    """Return a value if it is of a type, else None; a boolean is not a number."""
    return value if isinstance(value, kind) and not isinstance(value, bool) else None


def _safe_name(text: str) -> str:
    plain = _UNSAFE.sub("_", text).strip(" .")[:_LONGEST_NAME].rstrip(" .")
    if _DEVICE.fullmatch(plain):
        plain = f"_{plain}"
    if text and plain == text:
        return text
    return f"{plain or 'unnamed'}-{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:8]}"
