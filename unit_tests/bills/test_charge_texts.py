"""What the text of a charge says, and what it does not say plainly enough."""

# ruff: noqa: RUF001 - the look-alikes of hyphen, x and apostrophe are what bills print

from __future__ import annotations

import re

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_linkless.bills.charge_forms import places_in
from source_linkless.bills.charge_texts import read_charge_texts, reader
from source_linkless.bills.rows import Members
from testing.fuzzing import examples

ChargeText = dict[str, float | str]
"""What a text says: quantity, unit and price of one unit."""

PRICED = {
    # quantity, unit and price
    "Energy Charge 1,234 kWh @ $0.0605": (1234, "kWh", 0.0605),
    "Energy Charge 1,234 kWh @ $0.0605/kWh": (1234, "kWh", 0.0605),
    "Energy Charge: 1,234.5 KWH at $.0605 per KWH": (1234.5, "kWh", 0.0605),
    "1,240 kWh × 6.905¢": (1240, "kWh", 0.06905),
    "Consumption 1240kWh x 6.905 ¢/kWh": (1240, "kWh", 0.06905),
    "500 kWh at 5.5 cents per kWh": (500, "kWh", 0.055),
    "Energy 500 kWh (actual) @ 9.99 ct/kWh": (500, "kWh", 0.0999),
    "T&D 1,050kWh @ .05432": (1050, "kWh", 0.05432),
    "Supply 850 kWh @ 0.0812/kWh": (850, "kWh", 0.0812),
    "500 kWh x 0.0605/kWh": (500, "kWh", 0.0605),
    "Generation 2 MWh @ $80.00/MWh": (2, "MWh", 80),
    "Generation 2 MWh @ 8¢/kWh": (2, "MWh", 80),
    "Generation 2 MWh @ 0.08/kWh": (2, "MWh", 80),
    "On-Peak Energy 12,345,678 kWh @ $0.1": (12345678, "kWh", 0.1),
    "Off-peak: 321.5 kWh @ US$0.0712": (321.5, "kWh", 0.0712),
    "Tier 1: 500 kWh @ $0.08/kWh": (500, "kWh", 0.08),
    "First 500 kWh: 320 kWh @ 6.509¢/kWh": (320, "kWh", 0.06509),
    "Net metering credit -350 kWh @ $0.11": (-350, "kWh", 0.11),
    "Fuel adjustment 1,000 kWh @ -$0.01": (1000, "kWh", -0.01),
    "Billed Demand 125.5 kW @ $12.34/kW": (125.5, "kW", 12.34),
    "Contract demand 500 kW @ $5.00/kW": (500, "kW", 5),
    "Apparent power 50 kVA @ $4.20 per kVA": (50, "kVA", 4.2),
    "Reactive 30 kVAr @ 35 cents/kVAR": (30, "kVAr", 0.35),
    "Reactive energy 3,000 kvarh x $0.002/kvarh": (3000, "kVArh", 0.002),
    "Gas supply 45.2 therms @ $0.8912 per therm": (45.2, "therms", 0.8912),
    "45 CCF = 46.2 therms @ $0.50": (46.2, "therms", 0.5),
    "Commodity 12 Dth @ $3.15/Dth": (12, "Dth", 3.15),
    "Gas cost recovery 120 CCF @ 0.45210": (120, "CCF", 0.4521),
    "Water 12 HCF x $3.45": (12, "CCF", 3.45),
    "Delivery 8.5 Mcf @ $4.05/Mcf": (8.5, "MCF", 4.05),
    "Delivery 8.5 Mcf @ $0.405 per 100 cubic feet": (8.5, "MCF", 4.05),
    "Water consumption 12 m³ × 2.10 $/m³": (12, "m³", 2.1),
    "Water 12 m3 @ €2.10": (12, "m³", 2.1),
    "Water 3,500 gallons @ $4.12 per 1,000 gallons": (3500, "gallons", 0.00412),
    "Water 3,500 gal @ $4.12 per thousand gallons": (3500, "gallons", 0.00412),
    "Sewer 5 kgal x $7.50": (5, "kgal", 7.5),
    "Natural gas 1.5 GJ @ $3.20/GJ": (1.5, "GJ", 3.2),
    "1\u202f234,5 kWh à 6,05 ¢/kWh": (1234.5, "kWh", 0.0605),
    "Énergie 1.234,5 kWh @ 0,0605 €": (1234.5, "kWh", 0.0605),
    "Energie 1’234 kWh × 0.25 CAD": (1234, "kWh", 0.25),
    "kWh: 1,234 @ $0.06": (1234, "kWh", 0.06),
    "Minimum 0 kWh, 12 kWh @ $0.10 (1 kWh/day)": (12, "kWh", 0.1),
}
MEASURED = {
    # a quantity alone
    "Energy Charge 1,234 kWh": (1234, "kWh"),
    "On-peak usage 1,234.50 kWh": (1234.5, "kWh"),
    "Energy - 120 kWh": (120, "kWh"),
    "Energy (120 kWh)": (120, "kWh"),
    "Energy (kWh): 1,234": (1234, "kWh"),
    "0.5 MWh delivered": (0.5, "MWh"),
    "1,234 kilowatt-hours used": (1234, "kWh"),
    "1,234 kwhrs": (1234, "kWh"),
    "50 kW demand charge": (50, "kW"),
    "Demand Charge, 50 KW": (50, "kW"),
    "Gas usage 45 therms": (45, "therms"),
    "Water Usage 7,480 Gallons": (7480, "gallons"),
    "Sewer 12 cubic meters": (12, "m³"),
    "Water 900 cu. ft.": (900, "ft³"),
    "45 CCF x 1.0268": (45, "CCF"),
    "Reading 12345 - 13579 = 1,234 kWh": (1234, "kWh"),
    "1,234 kWh of electricity for 31 days": (1234, "kWh"),
    "0 kWh": (0, "kWh"),
    "12,5 kWh": (12.5, "kWh"),
    "0,605 kWh": (0.605, "kWh"),
    "Demand 125 kW @ $12.34/kW/month": (125, "kW"),
    "Demand 12.5 kW x 31 days x $0.20/kW/day": (12.5, "kW"),
    "Fuel adjustment 1,000 kWh @ (0.01)": (1000, "kWh"),
    "1,000 kWh @ $0.05 + $0.01 per kWh": (1000, "kWh"),
    "Tax on 500 kWh at 5%": (500, "kWh"),
    "500 kWh, was $0.10/kWh, is $0.12/kWh": (500, "kWh"),
}
RATED = {
    # a price alone
    "Delivery charge $0.0123 per kWh": ("kWh", 0.0123),
    "Transmission 12.5¢/kWh": ("kWh", 0.125),
    "Rider 0.0605 $/kWh": ("kWh", 0.0605),
    "Water $3.45 per 1,000 gallons": ("gallons", 0.00345),
    "First 500 kWh @ 6.509¢/kWh": ("kWh", 0.06509),
    "Next 1,000 kWh at $0.09/kWh": ("kWh", 0.09),
    "Solar credit -$0.03/kWh": ("kWh", -0.03),
    "Demand $5.00 a kW": ("kW", 5),
}
SILENT = [
    # nothing is said plainly
    "Customer charge",
    "",
    "Rate 5 kW service",
    "Rate Schedule GS-1 50 kW",
    "General Service 50 to 999 kW",
    "General Service 50 kW and over",
    "General service > 50 kW",
    "Under 50 kW",
    "5 kW service",
    "5-kW service",
    "Solar 5 kW system lease",
    "2 months",
    "2 months @ $9.50",
    "31 days @ $0.33/day",
    "January 15, 2026",
    "Usage in January 2024 kWh",
    "2026-01-31 500 kWh",
    "Account 100200300",
    "Acct 12345 kWh",
    "Meter #12345 kWh",
    "No. 7 kW",
    "State tax 6.25%",
    "Power factor 0.95",
    "First 500 kWh",
    "Next 1,000 kWh",
    "Over 1,000 kWh",
    "Each additional 100 kWh",
    "0-500 kWh",
    "501 - 1000 kWh",
    "Up to 500 kWh",
    "Tier 2 (500 kWh)",
    "Tier 1 500 kWh",
    "Baseline allowance 300 kWh",
    "Minimum 50 kW",
    "Block of 100 kWh",
    "100 kWh block",
    "40 kWh/day x 31 days",
    "38 kWh per day",
    "3 kWh/m²",
    "1 234 kWh",
    "1,23,456 kWh",
    "1,2345,678 kWh",
    "500 kWh of 1,000 kWh",
    "200 kWh + 300 kWh @ $0.06",
    "Rate increase from $0.10/kWh to $0.12/kWh",
    "Demand 100 kW, energy $0.05/kWh",
    "Price per kWh: 0.0605",
    "Rate per kWh: 6.05",
    "6.05 per kWh",
    "Charge $1,23,4 per kWh",
    "kWh 1234",
    "1999999999999999999999 kWh",
    "12 kWords",
    "Unit A12 kW",
    "1/2 kW",
    "$12 kWh charge",
    "Late fee 1.5% on $100.00",
    "x" * 501 + " 5 kWh",
]


def columns_of(said: Members) -> ChargeText:
    """Return the columns that a text was read into."""
    columns: ChargeText = orjson.loads(b"{%b}" % said.removeprefix(b","))
    return columns


def read_charge_text(text: str) -> ChargeText:
    """Read one text."""
    (said,) = read_charge_texts([text])
    return columns_of(said)


def every_text() -> list[tuple[str, ChargeText]]:
    """Return each text with what it says."""
    return [
        *((text, ChargeText(quantity=said[0], unit=said[1], unit_price=said[2])) for text, said in PRICED.items()),
        *((text, ChargeText(quantity=said[0], unit=said[1])) for text, said in MEASURED.items()),
        *((text, ChargeText(unit=said[0], unit_price=said[1])) for text, said in RATED.items()),
        *((text, ChargeText()) for text in SILENT),
    ]


@pytest.mark.parametrize(("text", "expected"), every_text(), ids=[text[:60] or "empty" for text, _ in every_text()])
def test_a_text_means_what_it_says_plainly(text: str, expected: ChargeText) -> None:
    """Quantity, unit and unit price, or nothing; exactly, without a trace of binary fractions."""
    read = read_charge_text(text)
    assert repr(read) == repr(expected)


LONG = {
    "1999999999999999999999 kWh": {},
    "12,345,678,901 kWh @ $0.123456789012": {"quantity": 12345678901, "unit": "kWh", "unit_price": 0.123456789012},
    "12345678901234567 kWh": {"quantity": 12345678901234567, "unit": "kWh"},
    "1.00000000000000001 kWh": {"quantity": 1.0, "unit": "kWh"},
    "2 GWh @ $123456789012.3/kWh": {"quantity": 2, "unit": "GWh", "unit_price": 123456789012300000},
    "99999999999999999999 kWh": {"quantity": 1e20, "unit": "kWh"},
    "1.00000000000000001 kWh, 1.00000000000000002 kWh": {},
}
"""Numbers that a double does not hold as printed, or 64 bits not at all"""


@pytest.mark.parametrize(("text", "expected"), LONG.items())
def test_no_digit_is_lost_of_a_long_number(text: str, expected: ChargeText) -> None:
    """Whole numbers are exact as far as JSON goes; others, and those beyond, are rounded once; every one is written."""
    assert repr(read_charge_text(text)) == repr(expected)
    assert orjson.loads(orjson.dumps(read_charge_text(text))) == expected


def test_half_a_text_is_not_read() -> None:
    """What is too long to be the name of a charge says nothing, however much of it is space; nor does its beginning."""
    assert read_charge_text("Energy  " + "y" * 487 + " 56 kWords") == {}
    assert read_charge_text("56 kWh" + " " * 495) == {}
    assert read_charge_text("56 kWh" + " " * 494) == {"quantity": 56, "unit": "kWh"}


@pytest.mark.parametrize("beside", ["", "Late fee", "56 kWh \0 9 kWh", "y" * 501])
def test_a_text_says_the_same_beside_others(beside: str) -> None:
    """All texts of a bill are read at once; none is read otherwise for what stands beside it."""
    texts = [text for text, _ in every_text()]
    assert [*map(columns_of, read_charge_texts([*texts, beside]))][:-1] == [expected for _, expected in every_text()]


def test_what_is_no_text_says_nothing() -> None:
    """A charge may come without a name, or with a number in its place; the others are read."""
    assert [*map(columns_of, read_charge_texts([None, "5 kWh", 5]))] == [{}, {"quantity": 5, "unit": "kWh"}, {}]


@pytest.mark.parametrize("other", ["2345678934", "9876543212", "1111111111", "0000000000", "3030303030"])
def test_what_was_read_before_changes_nothing(other: str) -> None:
    """Texts that differ in their digits alone are each read for themselves."""
    for text, _ in every_text():
        read_charge_text(text.translate(str.maketrans("0123456789", other)))
    assert [text for text, expected in every_text() if read_charge_text(text) != expected] == []


@examples(200)
@given(st.integers(1, 99_999_999), st.integers(1, 99_999), st.sampled_from(["kWh", "m3", "CCF"]))
def test_every_number_is_the_one_that_is_printed(quantity: int, price: int, unit: str) -> None:
    """Whatever its digits are, zeros and ones among them."""
    text = f"Energy {quantity:,} {unit} @ ${price / 10_000:.4f}/{unit}"
    said = ChargeText(quantity=quantity, unit=unit.replace("m3", "m³"), unit_price=price / 10_000)
    assert read_charge_text(text) == said


WORDS = ("1", "234", "1,234.5", "$0.05", "5 ¢", "/", "per", "@", "x", "kWh", "kW", "CCF", "gal", "-", "(", ":", "first")


@examples(200)
@given(st.lists(st.sampled_from(WORDS), max_size=12))
def test_no_text_makes_it_fail_or_contradict_itself(words: list[str]) -> None:
    """A unit comes with a quantity or a price, and neither comes without a unit."""
    read = read_charge_text(" ".join(words))
    assert ("unit" in read) is ("quantity" in read or "unit_price" in read)


SHAPES = (
    "# & @ $#/&",
    "$# per &",
    "#& x # ¢/&",
    "First # &: # &",
    "# & = # & @ $#",
    "# kWh (# kWh)",
    "#  &",
    "#\u202f# &",
)
DIGITS = ("0", "1", "3", "0,", "1,000", "100", "000", ".0", "7", "58", "605", "10", "30")
UNITS = ("kWh", "MWh", "m3", "ft^3", "m5", "100 gal", "1,000 gal", "1000 gal", "3,000 gal")


@st.composite
def alike(draw: st.DrawFn) -> list[str]:
    """Draw texts with digits in the same places."""
    filled = {"#": st.lists(st.sampled_from(DIGITS), min_size=1, max_size=3).map("".join), "&": st.sampled_from(UNITS)}
    text = "".join(draw(filled[mark]) if mark in filled else mark for mark in draw(st.sampled_from(SHAPES)))
    digits = st.text("0123579", min_size=10, max_size=10)
    return [text, *(text.translate(str.maketrans("0123456789", draw(digits))) for _ in range(2))]


@examples(400)
@given(alike())
def test_what_is_remembered_of_one_text_is_true_of_the_next(texts: list[str]) -> None:
    """A text is read as if no other had been: by where its own numbers stand, not those of a text like it."""
    for text in texts:
        plain = " ".join(re.sub("(?<=[0-9])\u202f(?=[0-9]{3}(?![0-9]))", "'", text).split())
        assert repr(read_charge_text(text)) == repr(columns_of(reader(places_in(plain), plain)(plain)))
