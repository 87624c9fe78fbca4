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


@pytest.mark.parametrize("broken", ["NaN", "1e400", '"raw \t tab"', '"raw \n line"', "12,5", "-Infinity"])
def test_a_bill_that_cannot_be_read_costs_that_bill_alone(broken: str) -> None:
    """The row names account and bill, and the next sync brings the bill when it can be read."""
    accounts = [{"account_number": number, "statements": [{"statement_id": f"of {number}"}]} for number in "ABC"]
    whole, provider = json.dumps({"accounts": accounts}), Provider()
    first = provider.deliver(whole.replace('"of B"', f'"of B", "usage": {broken}').encode())
    assert [row["account_number"] for row in first.rows("statements")] == ["A", "C"]
    assert (first.row("site")["status"], first.error) == ("ready", None)
    assert "account B, bill of B: is not valid JSON" in first.row("site")["message"]
    second = provider.deliver(whole.encode(), saved(first))
    assert [row["account_number"] for row in second.rows("statements")] == ["B"]
    assert "bill of B" not in second.row("site")["message"]


def test_a_document_of_which_no_bill_can_be_read_is_a_failure() -> None:
    """A login must not look as if it had no bills."""
    sync = Provider().deliver(
        b'{"accounts": [{"account_number": "A", "statements": [{"statement_id": "x", "a": NaN}]}]}'
    )
    row = sync.row("site")
    assert (row["status"], row["reason"], row["actor"]) == ("failed", "UNREADABLE_DOCUMENT", "connector")
    assert "account A, bill x: is not valid JSON" in row["message"]
