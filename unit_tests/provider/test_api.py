"""The provider's endpoints: what is asked, what an answer says, and what is a problem of which kind."""

from __future__ import annotations

import asyncio
import mmap
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, TypeVar

import orjson
import pytest

from source_linkless.concurrency.waiting import RateLimit, pause, time
from source_linkless.errors import Meaning, Problem
from source_linkless.provider.api import Account, Api, Connection, Context
from source_linkless.provider.outcomes import MEANINGS, OWN_CODES, PROVIDER_DOWN, TOKEN, UNKNOWN, WORKING
from source_linkless.provider.transport import LARGEST_ERROR, Answer, Request
from testing.jumping_loop import in_jumping_time

T = TypeVar("T")
Ask = Callable[[Api], Awaitable[Any]]

JSON = {"content-type": "application/json; charset=utf-8"}
GONE, NO_FILE, RATE_LIMITED = MEANINGS["GONE"], MEANINGS["NO_FILE"], MEANINGS["RATE_LIMITED"]
SECRET = "access-production-0b7e1f4c-88a1-4a77-9d52-6d9f3c1e2a10"


def answer(value: object, status: int = 200, **headers: str) -> Answer:
    """Return an answer with a JSON body."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(status, JSON | named, value if isinstance(value, bytes) else orjson.dumps(value))


class Provider:
    """A transport that gives the same answer to every request, and keeps the requests."""

    def __init__(self, reply: Answer | Problem) -> None:
        self.reply = reply
        self.requests: list[Request] = []

    async def __call__(self, request: Request) -> Answer:
        """Answer, or fail."""
        self.requests.append(request)
        if isinstance(self.reply, Problem):
            raise self.reply
        return self.reply

    def ask(self, question: Callable[[Api], Awaitable[T]]) -> T:
        """Ask through the API."""

        async def main() -> T:
            return await question(Api(self, RateLimit(1000)))

        return asyncio.run(main())


def problem(reply: Answer | Problem, question: Ask = lambda api: api.link_status("link-1")) -> Problem:
    """Return the problem that an answer is."""
    with pytest.raises(Problem) as caught:
        Provider(reply).ask(question)
    return caught.value


FLAT = {"username": "u", "password": "p"}

REQUESTS: tuple[tuple[Ask, Request, dict[str, Any]], ...] = (
    (lambda api: api.create_link_token({}), Request("/link/token/create"), {}),
    (
        lambda api: api.create_link_token({"auto_refresh": True}),
        Request("/link/token/create"),
        {"auto_refresh": True},
    ),
    (
        lambda api: api.sources("link-1", source_id="source-1"),
        Request("/link/sources"),
        {"link_token": "link-1", "source_id": "source-1"},
    ),
    (
        lambda api: api.connect("link-1", "source-1", FLAT),
        Request("/link/connect", once=True),
        {"link_token": "link-1", "source_id": "source-1", "username": "u", "password": "p"},
    ),
    (
        lambda api: api.exchange("public-1"),
        Request("/connection/public_token/exchange", once=True),
        {"public_token": "public-1"},
    ),
    (lambda api: api.link_status("link-1"), Request("/link/connection/status"), {"link_token": "link-1"}),
    (
        lambda api: api.sources("link-1", search="spring"),
        Request("/link/sources"),
        {"link_token": "link-1", "search": "spring"},
    ),
    (lambda api: api.question("link-1"), Request("/link/authentication/mfa/get"), {"link_token": "link-1"}),
    (
        lambda api: api.answer("link-1", "0123"),
        Request("/link/authentication/mfa/answer", once=True),
        {"link_token": "link-1", "answer": "0123"},
    ),
    (lambda api: api.accounts("link-1"), Request("/link/account/list"), {"link_token": "link-1"}),
    (
        lambda api: api.select_accounts("link-1", ("a", "b")),
        Request("/link/account/select", once=True),
        {"link_token": "link-1", "accounts": ["a", "b"]},
    ),
    (lambda api: api.destroy(SECRET), Request("/connection/destroy"), {"access_token": SECRET}),
    (lambda api: api.context(SECRET), Request("/connection/context"), {"access_token": SECRET}),
    (lambda api: api.refresh(SECRET), Request("/connection/refresh", once=True), {"access_token": SECRET}),
    (
        lambda api: api.document(SECRET),
        Request("/sustainability/get", large=True),
        {"access_token": SECRET},
    ),
    (
        lambda api: api.statement_file(SECRET, "bill-1"),
        Request("/sustainability/statement/file", large=True, accept="*/*"),
        {"access_token": SECRET, "statement_id": "bill-1"},
    ),
)


@pytest.mark.parametrize(("ask", "expected", "body"), REQUESTS)
def test_an_endpoint_is_asked_as_the_contract_says(ask: Ask, expected: Request, body: dict[str, Any]) -> None:
    """One request; what submits a login travels once, on a connection of its own; documents have time."""
    provider = Provider(answer({"link_token": "l", "access_token": "a", "status": "New", "question": "?"}))
    with suppress(Problem):  # the file of a bill is not JSON
        provider.ask(ask)
    (request,) = provider.requests
    assert replace(request, body=None) == expected
    assert orjson.loads(request.body or b"null") == body


def test_the_keys_are_tested_with_a_get() -> None:
    """That endpoint takes no body, and its answer may be empty."""
    provider = Provider(Answer(200, {}, b""))
    provider.ask(lambda api: api.test_keys())
    assert provider.requests == [Request("/test/api_keys")]


ANSWERS: tuple[tuple[Ask, Any, Any], ...] = (
    (lambda api: api.create_link_token({}), {"link_token": "link-1", "new": 1}, "link-1"),
    (lambda api: api.connect("l", "s", FLAT), {"public_token": "public-1"}, "public-1"),
    (lambda api: api.connect("l", "s", FLAT), {"job_guid": "j"}, None),
    (lambda api: api.connect("l", "s", FLAT), {"public_token": None}, None),
    (lambda api: api.connect("l", "s", FLAT), {"public_token": ""}, None),
    (lambda api: api.connect("l", "s", FLAT), {"public_token": 7}, None),
    (lambda api: api.exchange("p"), {"access_token": "a", "connection_id": "c"}, Connection("a", "c")),
    (lambda api: api.exchange("p"), {"access_token": "a"}, Connection("a", None)),
    (lambda api: api.exchange("p"), {"access_token": "a", "connection_id": 7}, Connection("a", None)),
    (lambda api: api.link_status("l"), {"status": "Connected"}, "Connected"),
    (lambda api: api.sources("l", source_id="s"), {"sources": [{"name": "a"}, 7, None]}, [{"name": "a"}]),
    (lambda api: api.sources("l", source_id="s"), {"sources": None}, []),
    (lambda api: api.sources("l", source_id="s"), {}, []),
    (lambda api: api.sources("l", search="spring"), {"sources": [{"name": "a"}]}, [{"name": "a"}]),
    (lambda api: api.question("l"), {"question": "Which pet?"}, "Which pet?"),
    (lambda api: api.answer("l", "rex"), {}, None),
    (
        lambda api: api.accounts("l"),
        {"accounts": [{"account_id": "a", "account_number": "1"}, {"account_number": "2"}, 7]},
        [Account("a", "1", None)],
    ),
    (lambda api: api.accounts("l"), {"accounts": None}, []),
    (lambda api: api.document("a"), {"accounts": []}, b'{"accounts":[]}'),
)


@pytest.mark.parametrize(("ask", "body", "expected"), ANSWERS)
def test_an_answer_gives_what_was_asked_for(ask: Ask, body: Any, expected: Any) -> None:
    """Unknown fields do no harm, and what may be missing may be missing."""
    assert Provider(answer(body)).ask(ask) == expected


NOTHING_KNOWN = Context(None, None, None, None, None, None, (), None)

CONTEXTS: tuple[tuple[dict[str, Any], Context], ...] = (
    (
        {
            "connection_id": "c",
            "provider": {"id": "p", "name": "Springfield Power"},
            "connection_status": "Connected",
            "connection_status_reason": "DataFound",
            "connection_status_timestamp": "2026-11-22T12:00:00Z",
            "num_of_entities": 2,
            "entities": [{"account_number": "1"}, {"account_number": "2"}],
        },
        Context("c", "p", "Springfield Power", "Connected", "DataFound", "2026-11-22T12:00:00Z", ("1", "2"), 2),
    ),
    ({}, NOTHING_KNOWN),
    ({"provider": None, "entities": None, "connection_id": 7, "connection_status": ["x"]}, NOTHING_KNOWN),
    ({"provider": "Springfield Power", "entities": {"account_number": "1"}}, NOTHING_KNOWN),
    ({"connection_status": f"with {SECRET}", "connection_status_reason": SECRET}, NOTHING_KNOWN),
)


@pytest.mark.parametrize(("body", "expected"), CONTEXTS)
def test_what_a_context_does_not_say_is_unknown(body: dict[str, Any], expected: Context) -> None:
    """A field that is missing or of another type is None, never an error."""
    assert Provider(answer(body)).ask(lambda api: api.context("a")) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"num_of_entities": 3}, 3),
        ({"numOfEntities": 3}, 3),
        ({"num_of_entities": 3, "numOfEntities": 4}, 3),
        ({"num_of_entities": 0, "entities": []}, 0),
        ({"num_of_entities": "3", "entities": [{"account_number": "1"}]}, 1),
        ({"num_of_entities": True}, None),
        ({"entities": [{"account_number": "1"}, {"account_number": None}, 7]}, 2),
        ({"entities": []}, None),
    ],
)
def test_the_number_of_accounts_is_spelt_in_two_ways(body: dict[str, Any], expected: int | None) -> None:
    """The contract's spelling goes first, then the guide's, then the accounts are counted."""
    assert Provider(answer(body)).ask(lambda api: api.context("a")).account_count == expected


def error(code: object, **more: Any) -> dict[str, Any]:
    """Return the provider's error object."""
    return {"error_category": "ANY", "error_code": code, "error_message": SECRET, "display_message": None, **more}


@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_the_error_code_decides_whatever_the_status(status: int) -> None:
    """An error object is an error under a 200 as well."""
    found = problem(answer(error("PRODUCT_NOT_READY"), status), lambda api: api.document("a"))
    assert (found.reason, found.meaning) == ("PRODUCT_NOT_READY", WORKING)
    assert found.reached is True


@pytest.mark.parametrize("code", ["", "no plain word", f"see {SECRET}", "A-B", "X" * 65, 7, None, ["A"], "ÄRGER"])
def test_a_code_that_is_no_plain_word_is_not_passed_on(code: object) -> None:
    """It could hold anything; the HTTP status stands in for it."""
    found = problem(answer(error(code), 400))
    assert (found.reason, found.meaning) == ("HTTP_400", UNKNOWN)


def test_an_unknown_code_is_passed_on_with_the_ids_for_support() -> None:
    """What nobody documented can be reported: the code, the HTTP status and the request id."""
    found = problem(answer(error("SOMETHING_NEW"), 418, x_request_id="r-1", cf_ray="ray", x_other="no"))
    assert (found.reason, found.meaning) == ("SOMETHING_NEW", UNKNOWN)
    assert found.detail == "/link/connection/status, HTTP 418, x-request-id r-1, cf-ray ray"
    assert str(found) == "SOMETHING_NEW (/link/connection/status, HTTP 418, x-request-id r-1, cf-ray ray)"


def test_the_same_word_is_the_same_object() -> None:
    """Thousands of logins that wait with the same reason code keep it once in memory."""
    assert problem(answer(error("SOMETHING_NEW"), 418)).reason is problem(answer(error("SOMETHING_NEW"), 418)).reason


def test_a_status_that_is_no_plain_word_is_not_passed_on() -> None:
    """A sentence could quote what was sent; it is waited on like any status that nobody knows."""
    assert Provider(answer({"status": f"Tried {SECRET}"})).ask(lambda api: api.link_status("l")) == "UNREADABLE_STATUS"


def test_a_request_id_that_is_no_identifier_is_not_passed_on() -> None:
    """A header can hold anything."""
    assert problem(answer(error("X"), 400, x_request_id=f"see {SECRET}")).detail == "/link/connection/status, HTTP 400"


@pytest.mark.parametrize("body", [b"", b"<html>Bad Gateway</html>", b"[]", b"null", b'"text"', b'{"error_code": '])
def test_an_error_need_not_be_an_error_object(body: bytes) -> None:
    """Gateways answer what they like; the HTTP status says what it means."""
    assert problem(answer(body, 502)).meaning is PROVIDER_DOWN
    assert problem(answer(body, 502)).reason == "HTTP_502"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"7"])
def test_an_answer_that_is_no_object_is_unknown(body: bytes) -> None:
    """A 200 without what was asked for is no success."""
    found = problem(answer(body))
    assert (found.reason, found.meaning) == ("HTTP_200", UNKNOWN)


@pytest.mark.parametrize(
    ("ask", "missing"),
    [
        (lambda api: api.create_link_token({}), "/link/token/create without link_token"),
        (lambda api: api.exchange("p"), "/connection/public_token/exchange without access_token"),
        (lambda api: api.link_status("l"), "/link/connection/status without status"),
    ],
)
@pytest.mark.parametrize("value", [None, "", 7, {}])
def test_a_missing_field_is_named(ask: Ask, missing: str, value: object) -> None:
    """Neither a token nor a status is ever made up."""
    found = problem(answer({missing.rpartition(" ")[2]: value}), ask)
    assert (found.reason, found.meaning, found.detail) == ("UNEXPECTED_ANSWER", UNKNOWN, missing)


def test_an_encrypted_answer_is_named() -> None:
    """Teams with encryption switched on get what this connector cannot read: that is said, not guessed at."""
    encrypted = Answer(200, {"content-type": "application/encrypted+json"}, b"\x00\x01")
    found = problem(encrypted, lambda api: api.document("a"))
    assert (found.reason, found.meaning) == ("ENCRYPTED_ANSWER", UNKNOWN)


@pytest.mark.parametrize("size", [20_000, 900_000])
@pytest.mark.parametrize("status", [200, 400])
def test_the_code_of_a_large_error_object_counts(size: int, status: int) -> None:
    """Some error objects carry a trace: up to a megabyte they are read."""
    found = problem(answer(error("PRODUCT_NOT_READY", trace="x" * size), status), lambda api: api.document("a"))
    assert (found.reason, found.meaning) == ("PRODUCT_NOT_READY", WORKING)


def test_a_document_above_a_megabyte_is_not_searched_for_errors() -> None:
    """Its bytes are handed on as they came."""
    body = orjson.dumps({"accounts": ["x" * LARGEST_ERROR], "error_code": "NO_ACCOUNTS"})
    assert Provider(answer(body)).ask(lambda api: api.document("a")) == body


@pytest.mark.parametrize(
    "code",
    ["product-not-ready", "Product not ready", " PRODUCT_NOT_READY ", "product.not.ready", "Product - Not Ready"],
)
def test_a_known_code_is_known_in_every_spelling(code: str) -> None:
    """Its reason is spelt as the contract spells it."""
    found = problem(answer(error(code)), lambda api: api.document("a"))
    assert (found.reason, found.meaning) == ("PRODUCT_NOT_READY", WORKING)


@pytest.mark.parametrize(
    ("code", "reason", "meaning"),
    [
        (503, "HTTP_503", PROVIDER_DOWN),
        ("502", "HTTP_502", PROVIDER_DOWN),
        (429, "HTTP_429", RATE_LIMITED),
        (200, "HTTP_200", UNKNOWN),
        (7, "HTTP_200", UNKNOWN),
        (True, "HTTP_200", UNKNOWN),
        (["A"], "HTTP_200", UNKNOWN),
        ("no plain word", "HTTP_200", UNKNOWN),
    ],
)
def test_an_error_code_under_a_success_is_no_data(code: object, reason: str, meaning: Meaning) -> None:
    """Whatever the code is; the number of an HTTP status means that status."""
    found = problem(answer({"error_code": code, "message": "Service unavailable"}), lambda api: api.document("a"))
    assert (found.reason, found.meaning) == (reason, meaning)


@pytest.mark.parametrize("code", [None, ""])
def test_an_empty_error_code_is_none(code: str | None) -> None:
    """A provider may name every field of its answers."""
    body = orjson.dumps({"error_code": code, "accounts": []})
    assert Provider(answer(body)).ask(lambda api: api.document("a")) == body


@pytest.mark.parametrize("status", [201, 202, 206, 299])
def test_every_success_with_what_was_asked_for_is_one(status: int) -> None:
    """Of connect and exchange, a token is worth more than the number of the status."""
    reply = answer({"public_token": "p", "access_token": "a", "status": "Connected", "accounts": []}, status)
    assert Provider(reply).ask(lambda api: api.connect("l", "s", FLAT)) == "p"
    assert Provider(reply).ask(lambda api: api.exchange("p")) == Connection("a", None)
    assert Provider(reply).ask(lambda api: api.link_status("l")) == "Connected"
    assert Provider(reply).ask(lambda api: api.document("a")) == reply.body


@pytest.mark.parametrize("status", [202, 204])
def test_a_success_without_a_body_is_none_where_one_is_needed(status: int) -> None:
    """There is no token and no document in it."""
    asks: tuple[Ask, ...] = (lambda api: api.exchange("p"), lambda api: api.document("a"))
    for ask in asks:
        found = problem(answer(b"", status), ask)
        assert (found.reason, found.meaning) == (f"HTTP_{status}", UNKNOWN)


def test_a_success_without_a_body_is_one_where_none_is_needed() -> None:
    """A refresh and a deletion answer nothing that is read."""
    asks: tuple[Ask, ...] = (lambda api: api.refresh("a"), lambda api: api.destroy("a"), lambda api: api.test_keys())
    for ask in asks:
        Provider(answer(b"", 204)).ask(ask)


@pytest.mark.parametrize("status", [404, 410])
def test_only_the_product_can_be_gone(status: int) -> None:
    """There a bare 404 means the migration; with a code, or elsewhere, it means what it says."""
    assert problem(answer(b"Not Found", status), lambda api: api.document("a")).meaning is GONE
    assert problem(answer(b"Not Found", status), lambda api: api.context("a")).meaning is UNKNOWN
    coded = answer(error("CONNECTION_NOT_FOUND"), status)
    assert problem(coded, lambda api: api.document("a")).meaning is TOKEN


FILE = "/sustainability/statement/file"
PDF = b"%PDF-1.4 and so on"


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (PDF, "application/pdf", "application/pdf"),
        (PDF, "application/octet-stream", "application/pdf"),
        (PDF, "application/json", "application/pdf"),
        (PDF, "", "application/pdf"),
        (b"\x89PNG", "image/PNG; quality=high", "image/png"),
        (b"II*\0", "image/tiff", "image/tiff"),
        (b"II*\0", "", "application/octet-stream"),
        (b"II*\0", "see access-production-1", "application/octet-stream"),
    ],
)
def test_a_file_keeps_its_type(body: bytes, content_type: str, expected: str) -> None:
    """What begins as a PDF is one; else the header says what it is."""
    found = Provider(answer(body, content_type=content_type)).ask(lambda api: api.statement_file("a", "s"))
    assert (found.content, found.content_type) == (body, expected)
    assert "and so on" not in repr(found)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "application/pdf"),
        (b"{}", "application/pdf"),
        (b' [{"url": "x"}]', "application/octet-stream"),
        (b"<!doctype html>", "application/pdf"),
        (b"Be right back", "text/html; charset=utf-8"),
        (b'"JVBERi0="', "application/json"),
        (b"\xef\xbb\xbf{}", ""),
    ],
)
def test_json_and_pages_are_no_files(body: bytes, content_type: str) -> None:
    """The page of a gateway is never stored as the file of a bill."""
    found = problem(answer(body, content_type=content_type), lambda api: api.statement_file("a", "s"))
    assert (found.reason, found.meaning) == ("HTTP_200", UNKNOWN)
    assert found.detail.startswith(FILE)


def test_a_bill_without_a_file_is_no_failure() -> None:
    """The provider says so with a code, or with 404 or 410; every other code keeps its meaning."""
    replies = (answer(error("INVALID_STATEMENT_ID"), 400), answer(b"Not Found", 404), answer(b"", 410))
    found = [problem(reply, lambda api: api.statement_file("a", "s")) for reply in replies]
    assert [(one.reason, one.meaning) for one in found] == [
        (reason, NO_FILE) for reason in ("INVALID_STATEMENT_ID", "HTTP_404", "HTTP_410")
    ]
    coded = problem(answer(error("CONNECTION_NOT_FOUND"), 404), lambda api: api.statement_file("a", "s"))
    assert coded.meaning is TOKEN


def in_a_minute() -> str:
    """Return an HTTP date in a minute from now."""
    return format_datetime(datetime.now(UTC) + timedelta(minutes=1), usegmt=True)


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [("0", 0, 0), ("7", 7, 7), (" 7 ", 7, 7), ("999999999999", 600, 600), ("9" * 5_000, 600, 600)],
)
def test_retry_after_may_be_seconds(value: str, least: float, most: float) -> None:
    """They are obeyed, but for ten minutes at most."""
    found = problem(answer(b"", 429, retry_after=value))
    assert found.meaning is RATE_LIMITED
    assert found.retry_after is not None
    assert least <= found.retry_after <= most


def test_retry_after_may_be_a_date() -> None:
    """It is counted from the answer's own date, else from now, and one in the past asks for no pause."""
    sent, then = "Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:28:09 GMT"
    assert problem(answer(b"", 503, date=sent, retry_after=then)).retry_after == 9
    found = problem(answer(b"", 503, retry_after=in_a_minute()))
    assert found.retry_after is not None
    assert 50 < found.retry_after <= 60
    assert problem(answer(b"", 503, retry_after="Wed, 21 Oct 2015 07:28:00 GMT")).retry_after == 0


@pytest.mark.parametrize(
    "value",
    [
        *("", "soon", "-5", "1.5", "7 seconds", "²", "Wed, 21 Oct"),
        "Wed, 21 Oct 99999 07:28:00 GMT",
        f"Wed, 21 Oct {'9' * 30} 07:28:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 -2359",
    ],
)
def test_a_retry_after_that_makes_no_sense_is_none(value: str) -> None:
    """Whatever stands there, it is not an error of ours."""
    assert problem(answer(b"", 429, retry_after=value)).retry_after is None


def test_an_endpoint_that_refuses_is_held_alone() -> None:
    """A `Retry-After` of centuries at one endpoint costs the others nothing but pace."""

    async def main() -> list[int]:
        limit, moments = RateLimit(1000), []
        with suppress(Problem):
            await Api(Provider(answer(b"", 429, retry_after="9" * 20)), limit).context("a")
        healthy = Api(Provider(answer({"status": "New"})), limit)
        asks: tuple[Ask, ...] = (lambda api: api.link_status("l"), lambda api: api.context("a"))
        for ask in asks:
            await ask(healthy)
            moments.append(round(time()))
        return moments

    assert in_jumping_time(main()) == [0, 600]


def test_without_retry_after_there_is_none() -> None:
    """Then the connector's own pauses hold."""
    assert problem(answer(b"", 503)).retry_after is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"status": "New", "x": NaN}',
        b'{"status": "New", "x": [1e400, -Infinity]}',
        b'\xef\xbb\xbf{"status": "New"}',
        b'{"status": "New", "x": "\\ud800"}',
        b'{"status": "Old", "status": "New", "x": %s}' % (b"9" * 400),
    ],
)
def test_a_small_answer_is_read_kindly(body: bytes) -> None:
    """What is no JSON to the letter, in a field beside it, must not cost a token or a status."""
    assert Provider(answer(body)).ask(lambda api: api.link_status("l")) == "New"


@pytest.mark.parametrize(
    "body", [b'{"status": "New", "x": %s1%s}' % (b"[" * 100_000, b"]" * 100_000), b'{"status": "New\xff"}', b"{", b""]
)
def test_what_cannot_be_read_at_all_is_unknown(body: bytes) -> None:
    """It ends this login, and nothing else."""
    assert problem(answer(body)).meaning is UNKNOWN


def test_a_text_with_half_a_character_is_not_what_was_asked_for() -> None:
    """It could not be sent back."""
    found = problem(answer(b'{"link_token": "\\ud800"}'), lambda api: api.create_link_token({}))
    assert (found.reason, found.meaning) == ("UNEXPECTED_ANSWER", UNKNOWN)


@pytest.mark.parametrize("value", ["x" * 129, "two words", "\x07", "é", ""])
def test_what_cannot_be_a_request_id_is_not_shown(value: str) -> None:
    """A header of any length and any content belongs into no message."""
    assert problem(answer(b"", 503, x_request_id=value, cf_ray="8a7-FRA")).detail.endswith("503, cf-ray 8a7-FRA")


@pytest.mark.parametrize("status", [200, 400, 503])
def test_a_body_that_is_not_in_memory_is_not_looked_through(status: int) -> None:
    """A mapped answer is a document or nothing: never parsed here, and its status decides."""
    with mmap.mmap(-1, 100) as body:
        body.write(b'{"error_code": "INVALID_CREDENTIALS", "status": "New"}')
        found = problem(Answer(status, JSON, body))
        assert (found.reason, found.meaning) == (f"HTTP_{status}", PROVIDER_DOWN if status == 503 else UNKNOWN)


def test_nothing_secret_is_shown() -> None:
    """Bodies, tokens and messages of the provider are in no text that could be logged."""
    found = problem(answer(error("INVALID_ACCESS_TOKEN"), 400), lambda api: api.document(SECRET))
    assert SECRET not in f"{found}{found!r}{found.detail}{found.__dict__}"
    assert SECRET not in f"{Connection(SECRET, 'c')}{Connection(SECRET, 'c')!r}"


async def _moments(reply: Answer, asks: Mapping[str, Ask]) -> list[str]:
    order: list[str] = []
    api = Api(Provider(reply), RateLimit(1))

    async def ask(name: str, question: Ask) -> None:
        await question(api)
        order.append(name)

    await api.test_keys()
    async with asyncio.TaskGroup() as tasks:
        for name, question in asks.items():
            tasks.create_task(ask(name, question))
    return order


def test_what_is_begun_is_finished_first() -> None:
    """Between submission and token nothing else is asked; facts that only inform wait for all others."""
    reply = answer({"link_token": "l", "access_token": "a", "status": "New"})
    asks: dict[str, Ask] = {
        "facts": lambda api: api.context("a", later=True),
        "status": lambda api: api.link_status("l"),
        "document": lambda api: api.document("a"),
        "context": lambda api: api.context("a"),
        "token": lambda api: api.create_link_token({}),
        "fields": lambda api: api.sources("l", source_id="s"),
        "connect": lambda api: api.connect("l", "s", FLAT),
        "exchange": lambda api: api.exchange("p"),
        "refresh": lambda api: api.refresh("a"),
    }
    first, usual = ["fields", "connect", "exchange", "refresh"], ["status", "document", "context", "token"]
    assert in_jumping_time(_moments(reply, asks)) == [*first, *usual, "facts"]


@pytest.mark.parametrize(
    ("reply", "recovers"),
    [
        (answer({"status": "New"}), True),
        (answer(error("PRODUCT_NOT_READY"), 400), True),
        (answer(b"", 500), False),
        (Problem("TIMEOUT", OWN_CODES["TIMEOUT"]), False),
    ],
)
def test_answers_bring_the_usual_pace_back(reply: Answer | Problem, recovers: bool) -> None:  # noqa: FBT001 - a case
    """After a 429 every answer helps, a "not ready" like any other; failures do not."""

    async def main() -> float:
        limit = RateLimit(1)
        api = Api(Provider(reply), limit)
        limit.slow_down("", 0)
        for _ in range(60):
            with suppress(Problem):
                await api.link_status("l")
        await pause(10)
        await limit.take()
        before = time()
        await limit.take()
        return time() - before

    assert in_jumping_time(main()) == pytest.approx(1 if recovers else 2)
