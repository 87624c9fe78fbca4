"""The benchmarks can be trusted: their documents are those of the contract, and a reader that errs is found."""

import http.client
import json
from collections.abc import Callable
from typing import Any

import orjson
import pytest
import yaml

from benchmarks.agreement import difference
from benchmarks.deliverer import PRODUCT, deliverer, token
from benchmarks.documents import Huge, Size, body
from benchmarks.figures import Limit, ratio
from benchmarks.peers.flat import flat, schema
from linkless_simulator.contract import CONTRACT_PATH

SMALL = Size(accounts=2, statements=3)
SCHEMAS = yaml.safe_load(CONTRACT_PATH.read_text(encoding="utf-8"))["components"]["schemas"]


def rows() -> list[tuple[str, dict[str, Any]]]:
    """Return what the floor makes of a small document."""
    return [(stream, dict(row)) for stream, row in flat(orjson.loads(body(1, SMALL)), "login")]


def test_the_documents_have_the_documented_fields_and_no_other() -> None:
    """Nobody is measured on a shape that the provider never described."""
    bill = orjson.loads(body(1, SMALL))["accounts"][0]["statements"][0]
    found = {"Statement": bill, "Charge": bill["charges"][0], "Payment": bill["payments"][0]}
    assert {name: set(value) for name, value in found.items()} == {
        name: set(SCHEMAS[name]["properties"]) for name in found
    }


def test_a_document_is_the_same_whenever_it_is_made() -> None:
    """Every reader and every run gets the same bytes; another connection gets others."""
    assert body(1, SMALL) == body(1, SMALL)
    assert body(1, SMALL) != body(2, SMALL)


def test_a_document_makes_as_many_rows_as_its_size_says() -> None:
    """Costs are divided by the right number."""
    assert len(rows()) == SMALL.records


def test_the_huge_document_is_as_long_as_announced() -> None:
    """What is sent piece by piece is one JSON text, of about the wanted size, with accounts of their own."""
    huge = Huge(100_000, SMALL)
    sent = b"".join(huge)
    numbers = [account["account_number"] for account in orjson.loads(sent)["accounts"]]
    assert len(sent) == huge.size
    assert 90_000 < huge.size <= 100_200
    assert len(set(numbers)) == huge.accounts


def test_the_peers_declare_the_columns_they_send() -> None:
    """No peer is slowed down, or spared work, by a schema that does not fit."""
    columns: dict[str, set[str]] = {}
    for stream, row in rows():
        columns.setdefault(stream, set()).update(row)
    assert columns == {stream: set(schema(stream)["properties"]) for stream in columns}


def _equal(found: list[tuple[str, dict[str, Any]]]) -> None:
    """Change nothing."""


def _without_nulls(found: list[tuple[str, dict[str, Any]]]) -> None:
    for _, row in found:
        for name in [name for name, value in row.items() if value is None]:
            del row[name]


def _whole_amounts(found: list[tuple[str, dict[str, Any]]]) -> None:
    for _, row in found:
        row.update({name: int(value) for name, value in row.items() if isinstance(value, float) and value.is_integer()})


def _more_columns(found: list[tuple[str, dict[str, Any]]]) -> None:
    for _, row in found:
        row["observed_at"] = "2026-11-25"


def _one_less(found: list[tuple[str, dict[str, Any]]]) -> None:
    found.pop()


def _one_more(found: list[tuple[str, dict[str, Any]]]) -> None:
    found.append(found[-1])


def _another_amount(found: list[tuple[str, dict[str, Any]]]) -> None:
    found[-1][1]["amount"] += 0.01


def _no_text(found: list[tuple[str, dict[str, Any]]]) -> None:
    del found[2][1]["charge_name"]


@pytest.mark.parametrize("change", [_equal, _without_nulls, _whole_amounts, _more_columns, list.reverse])
def test_readers_agree_that_write_the_same_in_another_form(change: Callable[[Any], None]) -> None:
    """Order, nulls, 40 for 40.0 and columns of its own make no difference."""
    found = rows()
    change(found)
    assert difference(rows(), found, frozenset()) is None


@pytest.mark.parametrize("change", [_one_less, _one_more, _another_amount, _no_text])
def test_a_reader_that_errs_is_found(change: Callable[[Any], None]) -> None:
    """A row or a value that is missing, doubled or changed ends the benchmark."""
    found = rows()
    change(found)
    assert difference(rows(), found, frozenset()) is not None


def test_a_column_that_a_reader_is_known_to_lack_is_not_compared() -> None:
    """The others still are."""
    found = [(stream, {name: row[name] for name in row if name != "source_name"}) for stream, row in rows()]
    assert difference(rows(), found, frozenset({"source_name"})) is None
    assert difference(rows(), found, frozenset()) is not None


def test_counting_starts_before_the_first_document_and_once() -> None:
    """What is called then is called while the reader waits, so that nothing of the document is missed."""
    calls: list[str] = []
    with deliverer([body(0, SMALL), body(1, SMALL)]) as provider:
        provider.before_first = lambda: calls.append("on")
        asked = http.client.HTTPConnection("127.0.0.1", provider.server_port)
        for number in (1, 0, 3):
            asked.request("POST", PRODUCT, json.dumps({"access_token": token(number)}))
            assert asked.getresponse().read() == body(number % 2, SMALL)
            assert calls == ["on"]
        asked.close()


@pytest.mark.parametrize(
    ("over", "at_most", "at_least", "holds"),
    [
        ([1.0, 1.3, 9.0], 1.3, None, True),
        ([1.0, 1.31, 9.0], 1.3, None, False),
        ([1.0, 7.0, 9.0], None, 7.0, True),
        ([1.0, 6.9, 9.0], None, 7.0, False),
    ],
)
def test_a_limit_judges_the_median_of_the_rounds(
    over: list[float], at_most: float | None, at_least: float | None, *, holds: bool
) -> None:
    """One round that a busy machine spoiled decides nothing."""
    found = ratio(over, [1.0] * len(over))
    assert Limit("what", found, at_most=at_most, at_least=at_least).holds is holds
