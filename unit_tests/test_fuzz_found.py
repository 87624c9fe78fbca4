"""What invented documents have found in the reading of documents: each is the smallest that shows it."""

from __future__ import annotations

import json

import pytest

from unit_tests.bills.test_fuzz_documents import Provider, saved


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        pytest.param('{"accounts": null, "data": {"bills": [{"bill": "b-1"}]}}', "b-1", id="bills beside no accounts"),
        pytest.param('{"accounts": [], "notice": {"text": "moved"}}', "moved", id="a word beside no accounts"),
        pytest.param('{"accounts": [{"account_number": " "}]}', '" "', id="a blank account number"),
    ],
)
def test_nothing_that_the_document_says_is_lost(body: str, kept: str) -> None:
    """It is found in the stream that gives the document back."""
    rows = Provider().deliver(body.encode()).rows("sustainability")
    assert kept in json.dumps(rows)


def test_a_bill_that_cannot_be_read_costs_no_account_before_it() -> None:
    """What was read is sent and remembered, the row says what is missing, and the next sync brings the rest alone."""
    accounts = [{"account_number": number, "statements": [{"statement_id": f"of {number}"}]} for number in "ABC"]
    whole, provider = json.dumps({"accounts": accounts}).encode(), Provider()
    first = provider.deliver(whole.replace(b"of B", b"of \x80"))
    assert [row["account_number"] for row in first.rows("statements")] == ["A"]
    assert first.row("site")["reason"] == "UNREADABLE_DOCUMENT"
    assert first.statuses("statements")[-1] == "INCOMPLETE"
    second = provider.deliver(whole, saved(first))
    assert [row["account_number"] for row in second.rows("statements")] == ["B", "C"]
    assert (second.row("site")["status"], second.error) == ("ready", None)
