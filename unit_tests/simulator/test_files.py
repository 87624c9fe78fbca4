"""The files of bills in the simulator."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest

from linkless_simulator.answers import Answer
from linkless_simulator.backend import CLIENT_ID, SECRET, Backend
from linkless_simulator.files import pdf_of, png

HEADERS = {"x-deck-client-id": CLIENT_ID, "x-deck-secret": SECRET, "content-type": "application/json"}
PATH = "/sustainability/statement/file"


def asked(backend: Backend, path: str, **body: Any) -> Answer:
    """Ask the simulated provider."""
    return backend.answer("POST", path, HEADERS, orjson.dumps(body))


def bills(backend: Backend, token: str) -> list[dict[str, Any]]:
    """Return the bills that the product delivers."""
    document = orjson.loads(asked(backend, "/sustainability/get", access_token=token).body)
    return [bill for account in document["accounts"] for bill in account["statements"]]


def test_every_bill_has_a_pdf_that_says_what_the_bill_says() -> None:
    """The same bill gives the same bytes, another one others."""
    backend = Backend()
    token = backend.link("instant")
    one, other = bills(backend, token)[:2]
    files = [asked(backend, PATH, access_token=token, statement_id=bill["statement_id"]) for bill in (one, one, other)]
    assert [(file.status, file.headers["content-type"]) for file in files] == [(200, "application/pdf")] * 3
    assert files[0].body == files[1].body != files[2].body
    assert f"(billing_date: {one['billing_date']})".encode() in files[0].body
    assert f"(total_due_amount: {one['total_due_amount']})".encode() in files[0].body
    assert [entry.status for entry in backend.journal] == [200] * 4


def test_a_pdf_is_a_pdf() -> None:
    """Its table tells where each object begins, and brackets in a text are escaped."""
    body = pdf_of({"statement_number": "a (b) \\ c"})
    start = int(body.split(b"startxref\n")[1].split(b"\n")[0])
    assert body[start:].startswith(b"xref\n0 6\n")
    offsets = [int(line[:10]) for line in re.findall(rb"\d{10} 00000 n ", body)]
    assert [body[offset:].split(b" ")[0] for offset in offsets] == [b"1", b"2", b"3", b"4", b"5"]
    assert rb"(statement_number: a \(b\) \\ c) Tj" in body
    stream = re.search(rb"/Length (\d+) >>\nstream\n(.*)\nendstream", body, re.DOTALL)
    assert stream is not None
    assert int(stream[1]) == len(stream[2])


@pytest.mark.parametrize(
    ("story", "status", "code"),
    [
        ("files_missing", 400, "INVALID_STATEMENT_ID"),
        ("files_not_found", 404, None),
        ("files_broken", 200, "UNEXPECTED_ERROR"),
        ("never_ready", 400, "PRODUCT_NOT_READY"),
        ("unauthorized", 401, None),
    ],
)
def test_some_logins_have_no_files(story: str, status: int, code: str | None) -> None:
    """Each in its own way; while the product is not ready there is no file either."""
    backend = Backend()
    answer = asked(backend, PATH, access_token=backend.link(story), statement_id="any")
    assert (answer.status, answer.code) == (status, code)
    assert (backend.journal[-1].status, backend.journal[-1].error_code) == (status, code)


def test_some_files_are_pictures() -> None:
    """They say so in their content type."""
    backend = Backend()
    token = backend.link("files_scanned")
    answer = asked(backend, PATH, access_token=token, statement_id=bills(backend, token)[0]["statement_id"])
    assert (answer.headers["content-type"], answer.body) == ("image/png", png())


def test_a_bill_of_nobody_has_no_file() -> None:
    """Neither has one of another login."""
    backend = Backend()
    token, other = backend.link("instant"), backend.link("instant+2")
    foreign = bills(backend, other)[0]["statement_id"]
    for statement_id in ("unknown", foreign):
        answer = asked(backend, PATH, access_token=token, statement_id=statement_id)
        assert (answer.status, answer.code) == (400, "INVALID_STATEMENT_ID")
        assert backend.journal[-1].error_code == "INVALID_STATEMENT_ID"


def test_a_bill_that_is_gone_from_the_next_document_keeps_its_file_until_then() -> None:
    """What was delivered last can be fetched, and so can what is delivered next."""
    backend = Backend()
    token = backend.link("corrected")
    first = {bill["statement_id"] for bill in bills(backend, token)}
    answers = [asked(backend, PATH, access_token=token, statement_id=one).status for one in sorted(first)]
    assert answers == [200] * len(first)
