"""The data dictionary says of every column what its schema says."""

from __future__ import annotations

import re
from typing import Any

import pytest

from source_linkless.bills.charge_texts import read_charges
from source_linkless.streams import STREAMS, Stream
from testing.generated_parts import parts, prove, read, table

DICTIONARY = "docs/data-dictionary.md"

TYPES = {"string": "text", "number": "number", "integer": "whole number", "object": "object", "array": "array"}
FORMATS = {"date": "date", "date-time": "timestamp"}
MONEY = "`currency_code`"
UNITS = {
    **dict.fromkeys(("amount", "previous_total_due_amount", "balance_forward", "total_due_amount"), MONEY),
    **dict.fromkeys(("statement_count", "statements_delivered"), "bills"),
    **dict.fromkeys(("accounts_expected", "accounts_delivered"), "accounts"),
    "billing_period_duration_days": "days",
    "waited_seconds": "seconds",
    "size_bytes": "bytes",
    "quantity": "`unit`",
    "unit_price": f"{MONEY} for one `unit`",
}
"""The unit of every column that holds a number."""


def kind(schema: dict[str, Any]) -> str:
    """Return the type of a column in words."""
    name = schema["type"] if isinstance(schema["type"], str) else schema["type"][-1]
    return FORMATS.get(schema.get("format", ""), TYPES[name])


def columns(stream: Stream) -> str:
    """Return the table of a stream's columns."""
    schema = stream.json_schema()
    rows = []
    for name, column in schema["properties"].items():
        shown = f"`{name}` **key**" if name in stream.primary_key else f"`{name}`"
        always = "yes" if name in schema["required"] else ""
        rows.append([shown, kind(column), UNITS.get(name, ""), always, column["description"]])
    return table(["Column", "Type", "Unit", "Never null", "Meaning"], rows)


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_the_dictionary_lists_every_column_as_the_schema_has_it(stream: Stream) -> None:
    """Name, type, key and description of every column are those of the schema."""
    prove(DICTIONARY, {f"columns of {stream.name}": columns(stream)})


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_every_number_has_a_unit(stream: Stream) -> None:
    """Every number says what it counts."""
    properties = stream.json_schema()["properties"]
    numbers = [name for name, column in properties.items() if kind(column) in ("number", "whole number")]
    assert [name for name in numbers if name not in UNITS] == []


def test_the_dictionary_has_no_other_streams() -> None:
    """A stream that is gone is gone from the dictionary."""
    documented = {name.removeprefix("columns of ") for name in parts(DICTIONARY) if name.startswith("columns of ")}
    assert documented == set(STREAMS)


TEXTS = (
    ("Energy Charge 1,057 kWh @ $0.137 = $144.81", 144.81),
    ("Énergie 620 kWh à 6,905 ¢/kWh", 42.81),
    ("Arbeitspreis 2.847 kWh x 0,32 EUR/kWh", 911.04),
    ("Day units 200 kWh @ 30.00p/kWh", 60.0),
    ("Potencia P1 5,750 kW x 27 días x 0,110283 €/kW día", 17.12),
    ("20 CCF x 1.033 = 20.66 therms @ $0.65/therm", 13.43),
    ("500 kWh @ $0.10 + 300 kWh @ $0.12", 86.0),
    ("First 600 kWh X $0.0789", 37.71),
    ("Standing charge 31 days @ 45.2p", 14.01),
    ("Puissance souscrite 36 kVA", 28.28),
)


def test_the_dictionary_shows_what_is_read_from_texts() -> None:
    """Ten texts with their amounts, and the values that the connector reads."""
    rows = [
        [text, str(amount), *("" if value is None else str(value) for value in read_charges([(text, amount)])[0])]
        for text, amount in TEXTS
    ]
    prove(DICTIONARY, {"texts of charges": table(["Text", "Amount", "quantity", "unit", "unit_price"], rows)})


def test_there_is_a_view_of_the_current_rows_of_every_table() -> None:
    """There is a view of the current rows of every table."""
    assert set(re.findall(r"create or replace view current_(\w+)", read(DICTIONARY))) == set(STREAMS)


def test_the_units_that_are_named_are_those_that_arrive() -> None:
    """The description of `unit` spells every unit as the records do."""
    description = STREAMS["charges"].json_schema()["properties"]["unit"]["description"]
    named = description.partition(": ")[2].partition(", …")[0].split(", ")
    assert len(named) > 10
    read = read_charges([(f"Usage 1,234 {unit} @ $2", 2468) for unit in named])
    assert read == [(1234, unit, 2) for unit in named]
