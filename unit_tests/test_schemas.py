"""Schema = contract = records: the three say the same about every column."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from airbyte_cdk.models import AirbyteCatalog
from airbyte_cdk.test.standard_tests._catalog_checks import find_catalog_problems
from hypothesis import given
from hypothesis import strategies as st

from linkless_simulator.bills import Sizes
from linkless_simulator.scenarios import STORIES
from linkless_simulator.shapes import SHAPES
from linkless_simulator.sources import ORDINARY
from source_linkless.bills import columns, read_document
from source_linkless.streams import STREAMS, catalog_streams
from source_linkless.sync.changes import StreamChanges
from testing.deliveries import Connection, delivered
from testing.fuzzing import examples
from testing.record_rules import validator

CONTRACT = Path(__file__).parent.parent / "contract" / "openapi.yaml"
TODAY = date(2026, 3, 1)
SEEN = "2026-03-01T06:00:00.000000Z"

COMMON = {"connection_key", "observed_at", "snapshot_at"}
OF_CONNECTIONS = set(STREAMS["connections"].json_schema()["properties"])

# stream: the contract's objects it shows, columns that are ours, the contract's fields without a column
COLUMNS: dict[str, tuple[tuple[str, ...], set[str], set[str]]] = {
    "sustainability": (
        ("SustainabilityResponse", "SustainabilityAccount"),
        COMMON | {"connection_id", "other_fields"},
        # a credential; the rows themselves; of the older shape only: in other_fields
        {"username", "accounts", "source_type", "account_id"},
    ),
    "accounts": (
        ("SustainabilityResponse", "SustainabilityAccount"),
        COMMON | {"connection_id", "statement_count", "first_billing_date", "last_billing_date", "other_fields"},
        # as above; a stream of their own
        {"username", "accounts", "source_type", "account_id", "statements"},
    ),
    "statements": (
        ("Statement",),
        COMMON | {"statement_key", "statement_key_basis", "content_hash", "other_fields"},
        {"charges", "payments"},  # streams of their own
    ),
    "charges": (
        ("Charge",),
        COMMON
        | {"account_number", "statement_key", "charge_key", "billing_date", "currency_code"}
        | {"quantity", "unit", "unit_price", "part_of", "other_fields"},
        set(),
    ),
    "payments": (
        ("Payment",),
        COMMON | {"account_number", "statement_key", "payment_key", "currency_code", "other_fields"},
        set(),
    ),
    "connections": ((), OF_CONNECTIONS, set()),
    "statement_files": ((), set(STREAMS["statement_files"].json_schema()["properties"]), set()),
}


@cache
def contract(name: str) -> dict[str, Any]:
    """Return the properties of an object of the contract."""
    schemas = yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))["components"]["schemas"]
    properties: dict[str, Any] = schemas[name]["properties"]
    return properties


def documented(stream: str) -> dict[str, Any]:
    """Return the contract's properties that a stream shows."""
    return {name: schema for of in COLUMNS[stream][0] for name, schema in contract(of).items()}


def every_property(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each property of a schema with its path, nested ones too."""
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}{name}", inner
        yield from every_property(inner, f"{path}{name}.")
    if "items" in schema:
        yield f"{path}[]", schema["items"]
        yield from every_property(schema["items"], f"{path}[].")


def invalid(body: bytes) -> list[str]:
    """Return what is wrong with the records of a document, in any stream."""
    document = read_document(body)
    return [
        f"{name}: {error.json_path} {error.message}"
        for name, stream in STREAMS.items()
        for row in delivered(StreamChanges(stream, None, start_date=None), Connection("hq", "c-1"), document, SEEN)
        for error in validator(name).iter_errors(row)
    ]


@pytest.mark.parametrize("stream", STREAMS)
def test_every_column_is_in_the_contract_or_declared_ours(stream: str) -> None:
    """And every field of the contract has a column or a reason not to; the difference is shown both ways."""
    _, ours, without_column = COLUMNS[stream]
    schema, promised = set(STREAMS[stream].json_schema()["properties"]), set(documented(stream))
    difference = {
        "columns without a source": sorted(schema - promised - ours),
        "columns that are both ours and the contract's": sorted(promised & ours),
        "fields without a column": sorted(promised - schema - without_column),
        "fields that do have a column": sorted(schema & without_column),
        "declared columns that do not exist": sorted((ours - schema) | (without_column - promised)),
    }
    assert {reason: names for reason, names in difference.items() if names} == {}


@pytest.mark.parametrize("stream", STREAMS)
def test_a_column_has_the_type_and_format_of_the_contract(stream: str) -> None:
    """A key column alone is narrower: it is never null."""
    key = STREAMS[stream].primary_key
    for name, column in STREAMS[stream].json_schema()["properties"].items():
        promised = documented(stream).get(name)
        if promised is not None:
            kinds = set(promised["type"]) - ({"null"} if name in key else set())
            declared = {column["type"]} if isinstance(column["type"], str) else set(column["type"])
            assert (declared, column.get("format")) == (kinds, promised.get("format")), name


@pytest.mark.parametrize(
    ("declared", "objects", "ours"),
    [
        (columns.DOCUMENT, "SustainabilityResponse", {"-username", "-source_type", "-accounts"}),
        (columns.ACCOUNT, "SustainabilityAccount", {"-account_id", "-statements"}),
        (columns.STATEMENT, "Statement", set()),
        (columns.CHARGE, "Charge", {"+currency_code"}),
        (columns.PAYMENT, "Payment", {"+currency_code"}),
    ],
    ids=["document", "account", "statement", "charge", "payment"],
)
def test_every_declared_field_is_read(declared: columns.Columns, objects: str, ours: set[str]) -> None:
    """The tables of `columns` are the contract's objects, but for what is listed here: arrays are cut, not read."""
    promised = contract(objects)
    more = {f"+{name}" for name in declared.readers if name not in promised}
    less = {f"-{name}" for name in promised if name not in declared.readers}
    assert more | less == ours


def test_the_platform_finds_nothing_wrong_with_the_catalog() -> None:
    """Its advisory checks included."""
    assert find_catalog_problems(AirbyteCatalog(streams=catalog_streams())) == {}


@pytest.mark.parametrize("stream", STREAMS)
def test_every_property_is_described_and_only_promised_ones_are_not_null(stream: str) -> None:
    """Descriptions become column comments; `required` names exactly the columns that are never null."""
    schema = STREAMS[stream].json_schema()
    properties = dict(every_property(schema))
    assert [path for path, inner in properties.items() if not inner.get("description")] == []
    nullable = {name for name, inner in schema["properties"].items() if "null" in inner["type"]}
    assert set(schema["required"]) == set(schema["properties"]) - nullable
    assert {*STREAMS[stream].primary_key, "observed_at"} <= set(schema["required"])


@pytest.mark.parametrize("story", STORIES)
def test_every_record_of_every_story_is_valid(story: str) -> None:
    """Whatever document the simulator delivers, first, second or third, its records keep to the schema."""
    shape = SHAPES[STORIES[story].document]
    sizes = replace(STORIES[story].sizes or Sizes(), accounts=3, statements=6)
    for version in range(1, min(shape.versions, 3) + 1):
        assert invalid(orjson.dumps(shape.build(story, ORDINARY, sizes, TODAY, version))) == []


_scalars = st.sampled_from([None, True, 0, 1.5, 31.0, "", "text", "2026-02-11", "2026-02-30", "2026-02-11T08:00:00Z"])
_anything = _scalars | st.lists(_scalars, max_size=2) | st.dictionaries(st.just("x"), _scalars)


def _object(readers: Any, **nested: Any) -> Any:
    fields = {name: _anything if name not in nested else _anything | nested[name] for name in (*readers, "unknown")}
    return st.fixed_dictionaries({}, optional=fields)


_lines = st.lists(_object({**columns.CHARGE.readers, **columns.PAYMENT.readers}) | _scalars, max_size=2)
_bill = _object(columns.STATEMENT.readers, charges=_lines, payments=_lines)
_account = _object({*columns.ACCOUNT.readers, "statements"}, statements=st.lists(_bill | _scalars, max_size=2))
_envelope = _object(
    {*columns.DOCUMENT.readers, "accounts"}, accounts=st.lists(_account | _scalars, min_size=1, max_size=2)
)


@examples(150)
@given(_envelope)
def test_records_of_any_document_are_valid(envelope: dict[str, Any]) -> None:
    """A wrongly typed value never reaches a column that cannot hold it."""
    assert invalid(orjson.dumps({"accounts": [], **envelope})) == []
