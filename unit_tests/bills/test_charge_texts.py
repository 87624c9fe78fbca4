"""What the text of a charge says, and what it does not settle."""

# ruff: noqa: RUF001, RUF002 - the look-alikes of hyphen, x and apostrophe are what bills print

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_linkless.bills.charge_texts import (
    CAPACITIES,
    LANGUAGES,
    SMALL,
    UNITS,
    Charge,
    Reading,
    read_charges,
)
from testing.fuzzing import examples

NOTHING = Reading()
FIELDS = ("quantity", "unit", "unit_price")

_SAMPLES = Path(__file__).with_name("charge_lines.jsonl")
LINES: Mapping[str, Mapping[str, Any]] = {
    line["id"]: line for line in map(json.loads, _SAMPLES.read_text(encoding="utf-8").splitlines())
}
"""Lines as bills print them, with the right values: null where there is none.

`may_be_null` names values that may be missing. Lines whose id begins with "own-" are ours; `modelled_on` says whether
a public sample of a bill has a line like it.
"""


def read(name: str, amount: float | None = None) -> Reading:
    """Read the only line of a bill."""
    (reading,) = read_charges([(name, amount)])
    return reading


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_no_value_of_a_line_is_wrong(line: Mapping[str, Any]) -> None:
    """Each value is the right one or missing, and nothing is delivered where nothing is right."""
    found = read(line["charge_name"], line["amount"])._asdict()
    assert {name: value for name, value in found.items() if value is not None and value != line[name]} == {}


def test_few_values_are_missed() -> None:
    """Of the values that the lines have, at most 10 in 100 are missed."""
    missed = [
        (line["id"], name)
        for line in LINES.values()
        for name, value in read(line["charge_name"], line["amount"])._asdict().items()
        if value is None and line[name] is not None and name not in line.get("may_be_null", ())
    ]
    values = sum(line[name] is not None for line in LINES.values() for name in FIELDS)
    assert len(missed) <= values / 10, missed


def test_each_group_of_lines_has_some_of_ours() -> None:
    """At least 60 lines are ours, half of them like those of public samples."""
    ours = [line for line in LINES.values() if line["id"].startswith("own-")]
    groups = {line["group"] for line in LINES.values()}
    assert len(ours) >= 60
    assert Counter(line["modelled_on"] == "a public sample" for line in ours)[True] >= 30
    assert {line["group"] for line in ours} == groups


CONFIRMED = {
    # the amount settles a number that could be read in two ways, or lifts a doubt
    ("Energy 1.234 kWh x 0,32", 394.88): (1234, "kWh", 0.32),
    ("Energy 1.234 kWh x 0,32", 0.39): (1.234, "kWh", 0.32),
    ("Heat 1,234 MWh @ 80,000 EUR", 98.72): (1.234, "MWh", 80),
    ("Tier 1 500 kWh @ $0.08", 40.0): (500, "kWh", 0.08),
    ("Tier 1 500 kWh @ $0.08", 120.0): (1500, "kWh", 0.08),
    ("First 500 kWh @ $0.08", 40.0): (500, "kWh", 0.08),
    ("Contract demand 500 kW @ $5.00/kW", 2500.0): (500, "kW", 5),
    ("Off-Peak 412 kWh @ 7.60", 3131.2): (412, "kWh", 7.6),
    ("Off-Peak 412 kWh @ 7.60", 31.31): (412, "kWh", 0.076),
    ("45 CCF x 1.0268", 46.21): (45, "CCF", 1.0268),
    ("31 days @ $0.33/day", 10.23): (31, "days", 0.33),
    ("31 Tage x 0,45 EUR", 13.95): (31, "days", 0.45),
    ("Demand 12.5 kW x 31 days x $0.20/kW/day", 77.5): (12.5, "kW", 6.2),
    ("Demand 125 kW @ $12.34/kW/month", 1542.5): (125, "kW", 12.34),
    ("Generation 2 MWh @ 8¢/kWh", 160.0): (2, "MWh", 80),
    ("Water 3,500 gallons @ $4.12 per 1,000 gallons", 14.42): (3500, "gallons", 0.00412),
    ("Delivery 8.5 Mcf @ $0.405 per 100 cubic feet", 34.43): (8.5, "MCF", 4.05),
    ("(350) kWh @ $0.11", -38.5): (-350, "kWh", 0.11),
    ("350 kWh @ ($0.11)", -38.5): (350, "kWh", -0.11),
    ("Demand (kW) 25 @ $6.00", 150.0): (25, "kW", 6),
    ("On-peak 1,000 kWh @ 5.123 c/kWh; off-peak 500 kWh @ 3.0 c/kWh", 66.23): (1500, "kWh", None),
    ("Usage: 500 kWh; rate: $0.10/kWh", 50.0): (500, "kWh", 0.1),
    ("Costo per 1.245 kWh x 0,15 €", 186.75): (1245, "kWh", 0.15),
    ("12,345,678,901 kWh @ $0.123456789012", 1524157863.9): (12345678901, "kWh", 0.123456789012),
}
UNCONFIRMED = {
    # no amount fits: what cannot be mistaken is delivered as printed
    "Energy Charge 1,234 kWh @ $0.0605/kWh": (1234, "kWh", 0.0605),
    "Energy 500 kWh (actual) @ 9.99 ct/kWh": (500, "kWh", 0.0999),
    "First 500 kWh: 320 kWh @ 6.509¢/kWh": (320, "kWh", 0.06509),
    "Net metering credit -350 kWh @ $0.11": (-350, "kWh", 0.11),
    "Fuel adjustment 1,000 kWh @ -$0.01": (1000, "kWh", -0.01),
    "45 CCF = 46.2 therms @ $0.50": (46.2, "therms", 0.5),
    "Gas cost recovery 120 CCF @ 0.45210": (120, "CCF", None),
    "Apparent power 50 kVA @ $4.20 per kVA": (50, "kVA", 4.2),
    "1\u202f234,5 kWh à 6,05 ¢/kWh": (1234.5, "kWh", 0.0605),
    "Energie 1’234 kWh × 0.25 CAD": (1234, "kWh", 0.25),
    "On-peak usage 1,234.50 kWh": (1234.5, "kWh", None),
    "Consommation 2 847 kWh": (2847, "kWh", None),
    "Energy (kWh): 1,234": (1234, "kWh", None),
    "50 kW demand charge": (50, "kW", None),
    "Water 900 cu. ft. used": (900, "ft³", None),
    "0 kWh": (0, "kWh", None),
    "12,5 kWh": (12.5, "kWh", None),
    "0,605 kWh": (0.605, "kWh", None),
    "Reading 12345 - 13579 = 1,234 kWh": (1234, "kWh", None),
    "Demand 12.5 kW x 31 days x $0.20/kW/day": (12.5, "kW", None),
    "Tax on 500 kWh at 5%": (500, "kWh", None),
    "Energy GS-1 500 kWh": (500, "kWh", None),
    "Energie E1.1 500 kWh": (500, "kWh", None),
    "Verbrauch bis 31.12.: 500 kWh": (500, "kWh", None),
    "500 kWh, was $0.10/kWh, is $0.12/kWh": (500, "kWh", None),
    "1,000 kWh of energy @ $0.05 + $0.01 per kWh": (1000, "kWh", None),
    "Delivery charge $0.0123 per kWh": (None, "kWh", 0.0123),
    "Water $3.45 per 1,000 gallons": (None, "gallons", 0.00345),
    "First 500 kWh @ 6.509¢/kWh": (None, "kWh", 0.06509),
    "Contract demand 500 kW @ $5.00/kW": (None, "kW", 5),
    "Demand $5.00 a kW": (None, "kW", 5),
    "Prix 6,905 $/m³": (None, "m³", 6.905),
    "12345678901234567 kWh": (12345678901234567, "kWh", None),
    "1.00000000000000001 kWh": (1.0, "kWh", None),
    "99999999999999999999 kWh": (1e20, "kWh", None),
}
SILENT = [
    "Customer charge",
    "",
    "Rate 5 kW service",
    "Rate Schedule GS-1 50 kW",
    "General Service 50 to 999 kW",
    "General Service 50 kW and over",
    "General service > 50 kW",
    "5-kW service",
    "Solar 5 kW system lease",
    "2 months @ $9.50",
    "31 days @ $0.33/day",
    "Usage in January 2024 kWh",
    "2026-01-31 500 kWh",
    "Period 12/01-12/31 500 kWh",
    "01.12. bis 31.12. 500 kWh",
    "Costo per 1.245 kWh x 0,15 €",
    "Acct 12345 kWh",
    "Meter #12345 kWh",
    "State tax 6.25%",
    "First 500 kWh",
    "Over 1,000 kWh",
    "0-500 kWh",
    "501 - 1000 kWh",
    "Up to 500 kWh",
    "Tier 2 (500 kWh)",
    "Baseline allowance 300 kWh",
    "100 kWh block",
    "40 kWh/day x 31 days",
    "12.5 kW-months @ $5",
    "3 kWh/m²",
    "1 234 kWh",
    "1,23,456 kWh",
    "1,2345,678 kWh",
    "500 kWh of 1,000 kWh",
    "500 kWh x 80% x $0.10",
    "Demand 100 kW, energy $0.05/kWh",
    "Price per kWh: 0.0605",
    "6.05 per kWh",
    "Verbrauch 2.847 kWh",
    "Consommation 2,847 kWh",
    "1.234 kWh x 10,245 kWh/m³",
    "Water 5 units (1 unit = 748 gal) @ $4",
    "Consumption 12 x 1,000 gallons @ $4.10",
    "12 kWords",
    "1/2 kW",
    "$12 kWh charge",
    "Late fee 1.5% on $100.00",
    "9" * 400 + " kWh",
    " + ".join(["1 234 kWh @ 1,234 €"] * 24),
    "56 kWh" + " " * 495,
    "Energy  " + "y" * 487 + " 56 kWords",
]


@pytest.mark.parametrize(("line", "expected"), CONFIRMED.items(), ids=[f"{text}, {paid}" for text, paid in CONFIRMED])
def test_the_amount_decides(line: tuple[str, float], expected: tuple[Any, ...]) -> None:
    """The reading is the one whose quantity × price is the amount, exactly as printed."""
    assert repr(tuple(read(*line))) == repr(expected)


@pytest.mark.parametrize(("text", "expected"), UNCONFIRMED.items(), ids=UNCONFIRMED)
@pytest.mark.parametrize("amount", [None, 0.0, 77_777.77], ids=["no amount", "zero", "another amount"])
def test_without_a_fit_only_what_cannot_be_mistaken_is_read(
    text: str, expected: tuple[Any, ...], amount: float | None
) -> None:
    """Notation and words settle what the amount does not."""
    assert repr(tuple(read(text, amount))) == repr(expected)


@pytest.mark.parametrize("text", SILENT, ids=[text[:60] or "empty" for text in SILENT])
def test_what_is_not_settled_is_not_read(text: str) -> None:
    """A tier, a size, a date, a rate or a number of two readings gives nothing."""
    assert read(text, 77_777.77) == NOTHING


def test_the_other_lines_of_a_bill_settle_the_notation() -> None:
    """A line that proves the decimal mark settles numbers that could be read in two ways."""
    open_line = ("Verbrauch 2.847 kWh", 900.0)
    assert read_charges([open_line, ("Arbeitspreis 500 kWh x 0,32 EUR", 160.0)])[0] == (2847, "kWh", None)
    assert read_charges([("Energie 500 kWh x 0.32 CHF", 160.0), open_line])[1] == (2.847, "kWh", None)
    assert read_charges([open_line, ("Mehrwertsteuer 7,7 %", 12.0)])[0] == (2847, "kWh", None)


def test_lines_that_disagree_settle_nothing() -> None:
    """A bill with both decimal marks leaves an open number open."""
    both = [("500 kWh x 0,32 EUR", 160.0), ("500 kWh x 0.32 CHF", 160.0)]
    assert read_charges([("Verbrauch 2.847 kWh", None), *both])[0] == NOTHING


@pytest.mark.parametrize("unit", UNITS)
def test_each_unit_is_read_as_it_is_spelled(unit: str) -> None:
    """The name of a unit in the table is one of its spellings, in capitals too."""
    for spelling in (unit, unit.upper(), unit.lower()):
        assert read(f"Water usage 12 {spelling} @ $1.50", 18.0) == (12, unit, 1.5)


@dataclass(frozen=True)
class Notation:
    """How numbers are printed."""

    thousands: str
    decimal: str

    def printed(self, number: Decimal) -> str:
        """Print a number with all its decimals."""
        return f"{number:,f}".translate({ord(","): self.thousands, ord("."): self.decimal})


ENGLISH, CONTINENTAL, SWISS = Notation(",", "."), Notation(".", ","), Notation("'", ".")
SPACED, NARROW, PLAIN = Notation(" ", ","), Notation("\u202f", ","), Notation("", ".")
NOTATIONS = {
    "en": (ENGLISH, PLAIN),
    "fr": (SPACED, NARROW, Notation("\u00a0", ",")),
    "de": (CONTINENTAL, SWISS, Notation("", ",")),
    "es": (CONTINENTAL, ENGLISH),
    "it": (CONTINENTAL, Notation("", ",")),
    "nl": (CONTINENTAL, NARROW),
    "pt": (CONTINENTAL, SPACED),
}
FORMS = {
    "en": ("Energy {q} {u} @ {p}", "Usage {q} {u} at {p} per {u}", "{p}/{u} {q} {u} used", "Supply {p} x {q} {u}"),
    "fr": ("Énergie {q} {u} à {p}/{u}", "Consommation : {q} {u} x {p}", "Fourniture {q} {u} à {p} le {u}"),
    "de": ("Arbeitspreis {q} {u} x {p}/{u}", "Verbrauch {q} {u} zu {p}", "Strom {p} je {u} x {q} {u}"),
    "es": ("Energía consumida {q} {u} x {p}/{u}", "Consumo {q} {u} a {p}"),
    "it": ("Quota consumi {q} {u} x {p}/{u}", "Energia fatturata {q} {u} a {p}"),
    "nl": ("Levering {q} {u} x {p}", "Verbruik {q} {u} tegen {p} per {u}"),
    "pt": ("Consumo faturado {q} {u} x {p}", "Fornecimento {q} {u} a {p} por {u}"),
}
PRICES = ("${}", "€ {}", "{} EUR", "CHF {}", "{} $", "£{}", "{} ¢", "{} ct", "{}p", "{} Rp.", "{}")


@st.composite
def lines(draw: st.DrawFn) -> tuple[Charge, Reading]:
    """Draw a line in a form and notation of a language, and what it says."""
    language = draw(st.sampled_from(sorted(FORMS)))
    notation = draw(st.sampled_from(NOTATIONS[language]))
    unit = draw(st.sampled_from(sorted(UNITS)))
    quantity = Decimal(draw(st.integers(0, 9_999_999))).scaleb(-draw(st.integers(0, 4)))
    price = Decimal(draw(st.integers(1, 999_999))).scaleb(-draw(st.integers(0 if unit not in SMALL else 3, 6)))
    form = draw(st.sampled_from(PRICES))
    is_minor = form.strip("{} ") in {"¢", "ct", "p", "Rp."}
    if is_minor and price >= 1_000:
        price /= 1_000
    worth = price / 100 if is_minor else price
    amount = (quantity * worth).quantize(Decimal("0.01"), ROUND_HALF_EVEN)
    text = draw(st.sampled_from(FORMS[language])).format(
        q=notation.printed(quantity), u=unit, p=form.format(notation.printed(price))
    )
    return (text, draw(st.sampled_from([float(amount), -float(amount)]))), Reading(float(quantity), unit, float(worth))


@examples(300)
@given(lines())
def test_what_is_printed_is_read_or_nothing_is(drawn: tuple[Charge, Reading]) -> None:
    """Each value is the one that was printed or is missing, in every form and notation, for any number."""
    charge, printed = drawn
    found = read_charges([charge])[0]._asdict()
    assert {name: value for name, value in found.items() if value not in (None, printed._asdict()[name])} == {}, charge


@examples(300)
@given(st.sampled_from(NOTATIONS["en"]), st.lists(st.integers(1, 9_999_999), min_size=2, max_size=4))
def test_the_same_words_are_read_with_each_number(notation: Notation, cents: list[int]) -> None:
    """Lines with the same words and other numbers are read apart, on one bill and on several."""
    quantities = [Decimal(number).scaleb(-2) for number in cents]
    charges = [(f"Energy {notation.printed(one)} kWh @ $2.00/kWh", float(one * 2)) for one in quantities]
    found = [(float(one), "kWh", 2) for one in quantities]
    assert read_charges(charges) == found
    assert [read(*charge) for charge in charges] == found


WORDS = (
    *("1", "234", "1,234.5", "$0.05", "5 ¢", "/", "per", "@", "x", "kWh", "kW", "CCF", "-", "(", ")", ":", "+"),
    *(
        "first",
        "days",
        "%",
        "100",
        "gal",
        "2 480",
        "12/31",
        "=",
        "#",
        "1.5.",
        "'",
        "’",
        "1'234",
        "1.2.3",
        "\u202f",
        "−3",
    ),
)


@examples(200)
@given(st.lists(st.sampled_from(WORDS), max_size=14), st.sampled_from([None, 0, 12.5, -11, 1e300, 5]))
def test_any_text_is_read_without_an_error(words: list[str], amount: float | None) -> None:
    """A unit comes with a quantity or a price, and neither comes without a unit."""
    for text in (" ".join(words), "".join(words)):
        found = read(text, amount)
        assert (found.unit is not None) is (found.quantity is not None or found.unit_price is not None)


def test_words_of_sizes_are_in_each_language() -> None:
    """The quantity of a contract, a reading or an average is not read in any language."""
    for text in ("Contract demand", "Puissance souscrite", "Vertragsleistung", "Potencia contratada"):
        assert read(f"{text} 50 kW") == NOTHING
    for text in ("Potenza impegnata", "Gecontracteerd vermogen", "Demanda contratada"):
        assert read(f"{text} 50 kW") == NOTHING
    assert set(LANGUAGES) == set(FORMS)
    assert set(UNITS) >= CAPACITIES | SMALL
