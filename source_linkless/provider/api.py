"""The provider's API: one method per endpoint, one attempt per call.

An answer is either what was asked for or a `Problem`, classified by `errors`. Repeating and waiting belong to the
caller. Every request is a POST with a JSON body, except the test of the keys (API notes, section 1.2).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from source_linkless.clock import seconds_until
from source_linkless.concurrency.waiting import RateLimit
from source_linkless.errors import Meaning, Problem, Then
from source_linkless.provider.bodies import Body
from source_linkless.provider.outcomes import GONE, NO_ANSWER, UNKNOWN, of_answer
from source_linkless.provider.small_answers import decoded, objects_in, of_type, text_of, word_in
from source_linkless.provider.transport import Answer, Request, Transport, Unreachable

_SMALL = 16_384  # an error object under a 200 is small; a document that large is not looked through
_REQUEST_IDS = ("x-request-id", "x-deck-correlation-id", "cf-ray")
_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)  # whatever else stands there is none, and does not belong into a log
_NO_WORD = "UNREADABLE_STATUS"
_OK, _NOT_FOUND, _GONE = 200, 404, 410


@dataclass(frozen=True, slots=True)
class Connection:
    """A linked login: the lasting access token, which the exchange answers, and the id of the connection."""

    access_token: str = field(repr=False)
    connection_id: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """An account to choose while linking (API notes, section 2.5)."""

    account_id: str
    number: str
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """Health of a connection (API notes, section 3.1); what is missing or unreadable is None."""

    connection_id: str | None
    source_id: str | None
    source_name: str | None
    status: str | None
    reason: str | None
    since: str | None
    """Moment of the last change of status, as written by the provider."""
    accounts: tuple[str, ...]
    account_count: int | None


class Api:
    """The endpoints we use. Every method takes its turn under the shared rate limit and raises Problem."""

    def __init__(self, transport: Transport, limit: RateLimit) -> None:
        """Bind the transport and the limit of one run."""
        self._transport, self._limit = transport, limit

    async def test_keys(self) -> None:
        """Ask whether the keys fit the environment; has no side effect (API notes, section 1.2)."""
        await self._call(Request("/test/api_keys"))

    async def create_link_token(self, options: Mapping[str, Any]) -> str:
        """Open a link session (API notes, section 2.1); submits nothing to the utility."""
        answer = await self._ask("/link/token/create", options)
        return text_of(answer, "link_token", "/link/token/create")

    async def find_sources(self, link_token: str, source_id: str) -> list[dict[str, Any]]:
        """Look a utility up to learn the names of its login fields (API notes, section 2.6)."""
        payload = {"link_token": link_token, "source_id": source_id}
        answer = await self._ask("/link/sources", payload, first=True)  # asked in the middle of a submission
        return objects_in(answer.get("sources"))

    async def search_sources(self, link_token: str, search: str) -> list[dict[str, Any]]:
        """Find utilities by 3 to 255 characters of their name (API notes, section 2.6)."""
        answer = await self._ask("/link/sources", {"link_token": link_token, "search": search})
        return objects_in(answer.get("sources"))

    async def connect(
        self,
        link_token: str,
        source_id: str,
        credentials: Mapping[str, Any],
        *,
        sending: Callable[[], object] = lambda: None,
    ) -> str | None:
        """Submit a login; returns the public token, or None in update mode (API notes, section 2.2). Never repeat.

        `sending` is called when it is this request's turn: before, nothing has left this process.
        """
        payload = {"link_token": link_token, "source_id": source_id, **credentials}
        await self._limit.take(first=True)
        sending()
        token = (await self._answered(Request("/link/connect", orjson.dumps(payload), once=True))).get("public_token")
        return token if isinstance(token, str) and token else None

    async def exchange(self, public_token: str) -> Connection:
        """Trade the public token for the access token (API notes, section 2.3). Never repeat."""
        path = "/connection/public_token/exchange"
        answer = await self._ask(path, {"public_token": public_token}, once=True)
        return Connection(text_of(answer, "access_token", path), of_type(answer.get("connection_id"), str))

    async def link_status(self, link_token: str) -> str:
        """Ask how far the login is (API notes, section 2.4)."""
        path = "/link/connection/status"
        return word_in(text_of(await self._ask(path, {"link_token": link_token}), "status", path)) or _NO_WORD

    async def question(self, link_token: str) -> str:
        """Ask for the text of the question that a login waits on (API notes, section 2.5)."""
        path = "/link/authentication/mfa/get"
        return text_of(await self._ask(path, {"link_token": link_token}), "question", path)

    async def answer(self, link_token: str, answer: str) -> None:
        """Answer the question that a login waits on. Never repeat: a code is good once."""
        body = orjson.dumps({"link_token": link_token, "answer": answer})
        await self._call(Request("/link/authentication/mfa/answer", body, once=True))

    async def accounts(self, link_token: str) -> list[Account]:
        """List the accounts that a login wants chosen (API notes, section 2.5)."""
        found = objects_in((await self._ask("/link/account/list", {"link_token": link_token})).get("accounts"))
        return [
            Account(one["account_id"], str(one.get("account_number")), of_type(one.get("account_address"), str))
            for one in found
            if isinstance(one.get("account_id"), str)
        ]

    async def select_accounts(self, link_token: str, account_ids: Sequence[str]) -> None:
        """Choose accounts by their `account_id`."""
        body = orjson.dumps({"link_token": link_token, "accounts": list(account_ids)})
        await self._call(Request("/link/account/select", body, once=True))

    async def destroy(self, access_token: str) -> None:
        """Delete a connection and all its data at the provider (API notes, section 3)."""
        await self._call(Request("/connection/destroy", orjson.dumps({"access_token": access_token})))

    async def context(self, access_token: str, *, later: bool = False) -> Context:
        """Ask for the health of a connection; `later` lets every other request go first."""
        return _context(await self._ask("/connection/context", {"access_token": access_token}, later=later))

    async def refresh(self, access_token: str) -> None:
        """Have the provider log in once more with the stored credentials (API notes, section 3). Never repeat."""
        await self._call(Request("/connection/refresh", orjson.dumps({"access_token": access_token}), once=True))

    async def document(self, access_token: str) -> Body:
        """Ask for everything the connection has (API notes, section 4); returns the undecoded body."""
        body = orjson.dumps({"access_token": access_token})
        answer = await self._call(Request("/sustainability/get", body, large=True), gone=True)
        return answer.body

    async def _ask(
        self, path: str, payload: Mapping[str, Any], *, once: bool = False, first: bool = False, later: bool = False
    ) -> dict[str, Any]:
        await self._limit.take(first=first or once, later=later)
        return await self._answered(Request(path, orjson.dumps(payload), once=once))

    async def _answered(self, request: Request) -> dict[str, Any]:
        answer = await self._sent(request)
        value = decoded(answer.body)
        if not isinstance(value, dict):
            raise _problem(None, answer, request.path, UNKNOWN)
        return value

    async def _call(self, request: Request, *, gone: bool = False) -> Answer:
        await self._limit.take(first=request.once)
        return await self._sent(request, gone=gone)

    async def _sent(self, request: Request, *, gone: bool = False) -> Answer:
        try:
            answer = await self._transport(request)
        except Unreachable as error:
            raise Problem(error.reason, NO_ANSWER[error.reason], detail=request.path, reached=error.reached) from None
        problem = _problem_in(answer, request.path, gone=gone)
        if problem is None or problem.meaning.then is Then.WAIT:  # "not ready" is an answer like any other
            self._limit.went_well()
        if problem is not None:
            raise problem
        return answer


def _problem_in(answer: Answer, path: str, *, gone: bool) -> Problem | None:
    """Find the problem in an answer: a status other than 200, or an error object under a 200."""
    succeeded = answer.status == _OK
    if succeeded and "encrypted" in answer.headers.get("content-type", ""):
        return _problem("ENCRYPTED_ANSWER", answer, path, UNKNOWN)
    if succeeded and len(answer.body) > _SMALL:
        return None
    value = decoded(answer.body)
    code = word_in(value.get("error_code")) if isinstance(value, dict) else None
    if succeeded and code is None:
        return None
    if gone and code is None and answer.status in (_NOT_FOUND, _GONE):
        return _problem(None, answer, path, GONE)
    return _problem(code, answer, path, of_answer(code, answer.status))


def _problem(code: str | None, answer: Answer, path: str, meaning: Meaning) -> Problem:
    ids = [f"{name} {answer.headers[name]}" for name in _REQUEST_IDS if _ID.fullmatch(answer.headers.get(name, ""))]
    detail = ", ".join([path, f"HTTP {answer.status}", *ids])
    reason = code if code is not None else f"HTTP_{answer.status}"
    return Problem(reason, meaning, detail=detail, retry_after=_retry_after(answer.headers))


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Read `Retry-After`, seconds or an HTTP date, as seconds; None when it is absent or makes no sense."""
    value = headers.get("retry-after", "").strip()
    return float(value) if value.isdecimal() else seconds_until(value, headers.get("date"))


def _context(answer: Mapping[str, Any]) -> Context:
    provider = of_type(answer.get("provider"), dict) or {}
    entities = of_type(answer.get("entities"), list) or []
    numbers = [entity.get("account_number") for entity in entities if isinstance(entity, dict)]
    count = of_type(answer.get("num_of_entities", answer.get("numOfEntities")), int)
    return Context(
        connection_id=of_type(answer.get("connection_id"), str),
        source_id=of_type(provider.get("id"), str),
        source_name=of_type(provider.get("name"), str),
        status=word_in(answer.get("connection_status")),
        reason=word_in(answer.get("connection_status_reason")),
        since=of_type(answer.get("connection_status_timestamp"), str),
        accounts=tuple(number for number in numbers if isinstance(number, str)),
        account_count=count if count is not None else (len(numbers) or None),
    )
