"""What invented documents have found in the reading of documents: each is the smallest that shows it."""

from __future__ import annotations

import json

import pytest

from unit_tests.test_fuzz_documents import Provider


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
