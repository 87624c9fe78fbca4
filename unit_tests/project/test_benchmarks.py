"""The benchmarks can be trusted: their documents are those of the contract, and a reader that errs is found."""

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
import yaml

from benchmarks.agreement import difference
from benchmarks.deliverer import PRODUCT, deliverer, token
from benchmarks.documents import BILLS, CHARGES, Huge, Size, body
from benchmarks.figures import Limit, judge, ratio
from benchmarks.jobs import CLASSIC, MANIFEST, OURS, SAME_ROWS, Job
from benchmarks.peers.rows import PLAIN, SAME, STREAMS, Row, Rows, rows_of_kind
from benchmarks.throughput import LEAST_CPU, limits_of_cpu
from linkless_simulator.contract import CONTRACT_PATH
from source_linkless.streams import STREAMS as OUR_STREAMS
from testing.generated_parts import ROOT

SMALL = Size(accounts=2, statements=3)
SCHEMAS = yaml.safe_load(CONTRACT_PATH.read_text(encoding="utf-8"))["components"]["schemas"]


def document() -> Row:
    """Return a small document, for one reader to use up."""
    found: Row = orjson.loads(body(1, SMALL))
    return found


def rows(kind: str = PLAIN) -> list[tuple[str, Row]]:
    """Return what the floor makes of a small document."""
    return [(stream, dict(row)) for stream, row in rows_of_kind(kind).of_all(document(), "login")]


@pytest.fixture(params=[PLAIN, SAME])
def kind(request: pytest.FixtureRequest) -> str:
    """Name one kind of rows."""
    return str(request.param)


@pytest.fixture
def made(kind: str) -> Rows:
    """Return what makes them."""
    return rows_of_kind(kind)


def test_the_documents_have_the_documented_fields_and_no_other() -> None:
    """No reader is measured on an undocumented shape."""
    bill = orjson.loads(body(1, SMALL))["accounts"][0]["statements"][0]
    found = {"Statement": bill, "Charge": bill["charges"][0], "Payment": bill["payments"][0]}
    assert {name: set(value) for name, value in found.items()} == {
        name: set(SCHEMAS[name]["properties"]) for name in found
    }


@pytest.mark.parametrize("odd", [BILLS, CHARGES])
def test_of_an_odd_document_one_field_is_not_documented(odd: str) -> None:
    """Each bill, or each charge, has it; without it the document is the ordinary one."""
    document, found = orjson.loads(body(1, SMALL, odd)), []
    for bill in (bill for account in document["accounts"] for bill in account["statements"]):
        found += [thing.pop("utility_type", None) for thing in (bill, *bill["charges"])]
    assert orjson.dumps(document) == body(1, SMALL)
    assert found.count("electricity") == SMALL.accounts * SMALL.statements * (1 if odd == BILLS else SMALL.charges)


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


def test_the_peers_declare_the_columns_they_send(kind: str, made: Rows) -> None:
    """No peer is slowed down, or spared work, by a schema that does not fit."""
    columns: dict[str, set[str]] = {stream: set() for stream in STREAMS}
    for stream, row in rows(kind):
        columns[stream].update(row)
        jsonschema.validate(row, made.schema(stream))
    never_told = {"statement_number"} if kind == SAME else set()  # null in the documents, and left out by ours
    assert {stream: set(made.schema(stream)["properties"]) - never_told for stream in STREAMS} == columns


@pytest.mark.parametrize("stream", STREAMS)
def test_a_stream_by_itself_makes_the_rows_of_the_one_pass(stream: str, kind: str, made: Rows) -> None:
    """Peers that fetch for each stream, and those that fetch once, do the same work."""
    assert [*made.of[stream](document(), "login")] == [row for other, row in rows(kind) if other == stream]


def test_the_keys_of_the_same_rows_are_those_of_ours() -> None:
    """They identify a row, as what the peers are told."""
    keys = rows_of_kind(SAME).keys
    assert {stream: ("connection_key", *keys[stream]) for stream in STREAMS} == {
        stream: OUR_STREAMS[stream].primary_key for stream in STREAMS
    }
    named = [(stream, *(row[name] for name in keys[stream])) for stream, row in rows(SAME)]
    assert len(set(named)) == len(named)


def _bills(found: Row) -> list[Row]:
    return [bill for account in found["accounts"] for bill in account["statements"]]


def _only_dates(found: Row) -> None:
    for account in found["accounts"]:
        account["statements"] = [{"billing_date": bill["billing_date"]} for bill in account["statements"]]


def _no_texts(found: Row) -> None:
    for bill in _bills(found):
        bill["charges"] = [{"charge_name": None} for _ in bill["charges"]]


def _only_charges(found: Row) -> None:
    for bill in _bills(found):
        del bill["payments"], bill["corrections"], bill["total_due_amount"]


def _only_payments(found: Row) -> None:
    for bill in _bills(found):
        del bill["charges"], bill["corrections"], bill["total_due_amount"]


@pytest.mark.parametrize(
    ("stream", "spare"),
    [
        ("accounts", _only_dates),
        ("statements", _no_texts),
        ("charges", _only_charges),
        ("payments", _only_payments),
    ],
)
def test_no_stream_of_a_peer_does_the_work_of_another(stream: str, spare: Callable[[Row], None]) -> None:
    """A peer that fetches for each stream is not made to read texts, or to hash, four times over."""
    make, spared = rows_of_kind(SAME).of[stream], document()
    spare(spared)
    hashed = {"content_hash"}  # of the bill as it came
    assert [_without(row, hashed) for row in make(spared, "login")] == [
        _without(row, hashed) for row in make(document(), "login")
    ]


def _without(row: Row, names: set[str]) -> Row:
    return {name: value for name, value in row.items() if name not in names}


def test_every_peer_makes_plain_rows_and_the_same_rows_as_ours() -> None:
    """What is compared with ours on the same work is the same reader, beside the rows that it makes."""
    assert SAME_ROWS.keys() == LEAST_CPU.keys()
    assert {(plain.kind, twin.kind) for plain, twin in SAME_ROWS.items()} == {(PLAIN, SAME)}
    assert all(plain.command == twin.command for plain, twin in SAME_ROWS.items())
    assert OURS.kind == SAME


@pytest.mark.parametrize(
    ("behind", "holds"),
    [(SAME_ROWS.keys() - {MANIFEST}, True), ([MANIFEST], False), ([SAME_ROWS[CLASSIC]], False)],
)
def test_peers_that_make_the_same_rows_decide_and_low_code_as_it_is_meant(
    behind: Iterable[Job], *, holds: bool
) -> None:
    """A limit missed beside less work is shown, and fails nothing."""
    ahead = {job: [100.0] for pair in SAME_ROWS.items() for job in pair} | {OURS: [1.0]}
    assert judge(limits_of_cpu(ahead | {job: [1.0] for job in behind}))[1] is holds


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
    with deliverer([body(0, SMALL), body(1, SMALL)], {BILLS: [body(0, SMALL, BILLS)]}) as provider:
        provider.before_first = lambda: calls.append("on")
        asked = http.client.HTTPConnection("127.0.0.1", provider.server_port)
        for number in (1, 0, 3):
            asked.request("POST", PRODUCT, json.dumps({"access_token": token(number)}))
            assert asked.getresponse().read() == body(number % 2, SMALL)
            assert calls == ["on"]
        asked.request("POST", PRODUCT, json.dumps({"access_token": token(5, BILLS)}))
        assert asked.getresponse().read() == body(0, SMALL, BILLS)
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


def test_the_same_rows_are_made_without_the_cdk(tmp_path: Path) -> None:
    """The environments of singer-sdk and dlt have orjson, and no Airbyte CDK."""
    (tmp_path / "orjson").symlink_to(Path(orjson.__file__).parent)
    code = "from importlib.util import find_spec; import benchmarks.peers.same; print(find_spec('airbyte_cdk'))"
    run = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "None\n", "")
