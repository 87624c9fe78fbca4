"""The dbt package gives right answers on bills of every awkward kind, on DuckDB and on PostgreSQL."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from testing.bill_tables import DUCKDB, POSTGRES, Tables, line
from testing.dbt_runs import PACKAGE, Warehouse
from testing.generated_parts import ROOT, read
from testing.postgres_server import postgres_server
from testing.warehouses import PYTHON as DEMO_PYTHON

Row = tuple[str, ...]

JAN, FEB, MAR, APR, MAY, JUN = "2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01", "2026-05-01", "2026-06-01"
ENERGY = line("Energy charge 817 kWh @ $0.10", 81.70, 817, "kWh", 0.10)
M1, M2 = {"service": "electricity", "meter": "M1"}, {"service": "electricity", "meter": "M2"}


def kwh(quantity: float, price: float = 0.12, text: str = "Energy charge", **extra: Any) -> dict[str, Any]:
    """Return a line of electricity; a negative price makes a negative amount."""
    return line(f"{text} {quantity:,} kWh @ ${price}", round(quantity * price, 2), quantity, "kWh", price, **extra)


def taken_back(quantity: float, price: float = 0.12) -> dict[str, Any]:
    """Return a line that takes back what `kwh` charged."""
    return line(f"Energy charge {quantity:,} kWh @ ${price}", -round(quantity * price, 2), quantity, "kWh", price)


def stories() -> Tables:  # noqa: PLR0915 - a list of stories, one after the other
    """Return accounts of which each shows one kind of bills, named after it."""
    tables = Tables()
    account = tables.account

    # Periods
    a = account("nested")
    a.bill("quarter", JAN, APR, 90, billed="2026-04-03", total_due_amount=300)
    a.bill("feb", FEB, MAR, 28, total_due_amount=100)
    a.bill("apr", APR, MAY, 30, total_due_amount=100)
    a = account("no_period")
    a.bill("jan", JAN, FEB, 31, [ENERGY]).bill("feb", billed="2026-03-03", lines=[kwh(100)])
    a.bill("mar", MAR, APR, 31, [ENERGY])
    a = account("gap")
    a.bill("jan", JAN, FEB, 31, [ENERGY]).bill("mar", MAR, APR, 31, [ENERGY])
    a = account("inclusive")
    a.bill("jan", JAN, "2026-01-31", 31, [ENERGY]).bill("feb", FEB, "2026-02-28", 28, [kwh(280)])
    a = account("inclusive_untold")
    a.bill("jan", "2026-01-05", "2026-02-04").bill("feb", "2026-02-05", "2026-03-04")
    a = account("exclusive_untold")
    a.bill("jan", "2026-01-05", "2026-02-05").bill("feb", "2026-02-05", "2026-03-05")
    a = account("shared_day")
    a.bill("jan", JAN, FEB, 32, total_due_amount=1).bill("feb", FEB, MAR, 29, total_due_amount=2)
    account("swapped").bill("jan", FEB, JAN, 31).bill("feb", FEB, MAR, 28)
    account("one_day").bill("day", JAN, JAN, 1)
    account("start_and_length").bill("jan", JAN, None, 31, billed="2026-02-03")
    account("misread").bill("jan", "0202-01-01", FEB, None)
    a = account("equal")
    a.bill("one", JAN, FEB, 31, [kwh(100)], billed="2026-02-03").bill(
        "two", JAN, FEB, 31, [kwh(200)], billed="2026-02-03"
    )
    a = account("duplicate")
    a.bill("one", JAN, FEB, 31, [kwh(100)]).bill("two", JAN, FEB, 31, [kwh(100)])
    a = account("overdue")
    a.bill("jan", JAN, FEB, 31).bill("feb", FEB, MAR, 28).bill("mar", MAR, APR, 31)
    a = account("apart")
    for key, start, end in (("jan", JAN, FEB), ("feb", FEB, MAR)):
        a.bill(f"power-{key}", start, end, lines=[kwh(100)], billed=end)
        a.bill(f"gas-{key}", start[:-1] + "5", end[:-1] + "5", lines=[line("Gas supply 5 therms", 9, 5, "therms")])

    # Bills that take back others
    a = account("rebilled")
    a.bill("first", JAN, FEB, 31, [kwh(1300)], billed="2026-02-03")
    a.bill("reversal", JAN, FEB, 31, [taken_back(1300)], billed="2026-03-01")
    a.bill("second", JAN, FEB, 31, [kwh(1950)], billed="2026-03-02")
    a = account("reversed_without_lines")
    a.bill("first", JAN, FEB, 31, [kwh(1300)], billed="2026-02-03")
    a.bill("reversal", JAN, FEB, 31, [line("Cancellation of bill", -156)], billed="2026-03-01")
    a.bill("second", JAN, FEB, 31, [kwh(1950)], billed="2026-03-02")
    a = account("cancelled")
    a.bill("first", JAN, FEB, 31, [kwh(1300)], billed="2026-02-03")
    a.bill("reversal", JAN, FEB, 31, [taken_back(1300)], billed="2026-03-01")
    a.bill("feb", FEB, MAR, 28, [kwh(1)], billed="2026-03-02")
    a = account("rekeyed")
    a.bill("first", JAN, FEB, 31, [kwh(1300)], billed="2026-02-03")
    a.bill("second", JAN, FEB, 31, [kwh(1950)], billed="2026-03-02")
    account("net_producer").bill(
        "jan", JAN, FEB, 31, [kwh(100), line("Solar export 900 kWh @ $0.05", -45, 900, "kWh", 0.05)]
    )
    a = account("late_fee")
    a.bill("jan", JAN, FEB, 31, [kwh(100)]).bill("fee", JAN, FEB, 31, [line("Late fee", 5)], billed="2026-02-20")
    a = account("two_meters_apart")
    for key, start, end in (("jan", JAN, FEB), ("feb", FEB, MAR), ("mar", MAR, APR)):
        a.bill(f"one-{key}", start, end, lines=[kwh(100)], billed=end)
        a.bill(f"two-{key}", start, end, lines=[kwh(200)], billed=end[:-1] + "2")
    account("corrected_on_the_bill").bill("jan", JAN, FEB, 31, [taken_back(1300), kwh(1950, 0.12), kwh(1600, 0.13)])

    # Quantities
    account("repeated").bill(
        "jan", JAN, FEB, 31,
        [line("Electricity supply 817 kWh @ $0.08", 65.36, 817, "kWh", 0.08),
         line("Delivery 817 kWh @ $0.03", 24.51, 817, "kWh", 0.03),
         line("Tax on 817 kWh @ $0.001", 0.82, 817, "kWh", 0.001),
         line("Demand 12 kW @ $9.00", 108, 12, "kW", 9)],
    )  # fmt: skip
    account("tiers").bill(
        "jan", JAN, FEB, 31,
        [kwh(500, 0.10, "Tier 1"), kwh(317, 0.12, "Tier 2"), kwh(817, 0.03, "Delivery"), kwh(500, 0.001, "Tax on")],
    )  # fmt: skip
    account("equal_tiers").bill("jan", JAN, FEB, 31, [kwh(500, 0.10, "Tier 1"), kwh(500, 0.12, "Tier 2")])
    account("times_of_use").bill(
        "jan", JAN, FEB, 31,
        [kwh(400, 0.20, "On-peak"), kwh(400, 0.10, "Off-peak"), kwh(400, 0.05, "Delivery on-peak"),
         kwh(400, 0.04, "Delivery off-peak"), kwh(800, 0.01, "Public purpose programs")],
    )  # fmt: skip
    account("total_and_tiers").bill(
        "jan", JAN, FEB, 31, [kwh(817, 0.01, "Energy"), kwh(500, 0.1, "First"), kwh(317, 0.12, "Next")]
    )
    account("meters").bill(
        "jan", JAN, FEB, 31,
        [kwh(400, part_of=M1), kwh(400, part_of=M2), kwh(800, 0.001, "Tax on"), kwh(400, 0.03, "Delivery", part_of=M1)],
    )  # fmt: skip
    account("gas_and_water").bill(
        "jan", JAN, FEB, 31,
        [line("Usage 12 CCF @ $1.10", 13.2, 12, "CCF", 1.1, {"service": "Gas", "meter": "G"}),
         line("Usage 7 CCF @ $3.85", 26.95, 7, "CCF", 3.85, {"service": "Water", "meter": "W"})],
    )  # fmt: skip
    account("words").bill(
        "jan", JAN, FEB, 31,
        [line("Water usage 10 CCF @ $3.85", 38.5, 10, "CCF", 3.85), line("Sewer 8 CCF @ $5.10", 40.8, 8, "CCF", 5.1),
         line("Fuel cost adjustment 100 kWh @ $0.01", 1, 100, "kWh", 0.01)],
    )  # fmt: skip
    account("unknown").bill("jan", JAN, FEB, 31, [line("Usage 12 CCF @ $1.10", 13.2, 12, "CCF", 1.1)])
    account("by_the_bill").bill(
        "jan", JAN, FEB, 31, [line("Gas service", 10), line("Usage 12 CCF @ $1.10", 13.2, 12, "CCF", 1.1)]
    )
    account("gas_in_kwh").bill("jan", JAN, FEB, 31, [line("Gas standing charge", 8), kwh(1200, 0.05, "Units used")])
    account("german").bill(
        "jan", JAN, FEB, 31,
        [line("Stromverbrauch 300 kWh", 90, 300, "kWh"), line("Netznutzung 300 kWh", 20, 300, "kWh"),
         line("Abwassergebühr 9 m³", 20, 9, "m³")],
    )  # fmt: skip
    account("exports").bill(
        "jan", JAN, FEB, 31,
        [kwh(800), line("Energy returned to grid 200 kWh", -20, 200, "kWh"),
         line("Baseline credit 800 kWh @ $0.02", -16, 800, "kWh", 0.02)],
    )  # fmt: skip
    account("readings").bill(
        "jan", JAN, FEB, 31,
        [kwh(800), line("Meter reading 45,210 kWh", None, 45210, "kWh"), line("Average 26 kWh", 0, 26, "kWh"),
         line("Customer charge 31 days @ $0.50", 15.5, 31, "days", 0.5), line("Reactive 90 kVArh", 4, 90, "kVArh")],
    )  # fmt: skip
    account("two_units").bill(
        "jan", JAN, FEB, 31,
        [line("Gas used 61 CCF", 0, 61, "CCF"), line("Gas supply 62.6 therms @ $0.65", 40.69, 62.6, "therms", 0.65)],
    )  # fmt: skip
    account("cheap_hours").bill("jan", JAN, FEB, 31, [kwh(300, -0.02, "Spot energy"), kwh(500, 0.1, "Night")])

    # Amounts
    account("budget").bill("jan", JAN, FEB, 31, [kwh(1000, 0.12), line("Fees", 17.50)], total_due_amount=90)
    account("credit_balance").bill(
        "jan", JAN, FEB, 31, [line("Charges", 62.10)], total_due_amount=0, balance_forward=-300
    )
    account("without_lines").bill("jan", JAN, FEB, 31, total_due_amount=150, balance_forward=50)
    account("without_forward").bill("jan", JAN, FEB, 31, total_due_amount=150, previous_total_due_amount=80, paid=30)
    account("unknown_cost").bill("jan", JAN, FEB, 31, total_due_amount=150)
    account("carried_line").bill("jan", JAN, FEB, 31, [line("Previous balance", 40), line("Energy", 60)])

    # Months
    a = account("months")
    a.bill("one", "2026-01-10", "2026-02-10", 31, [kwh(1000.1, 0.1)])
    a.bill("two", "2026-02-10", "2026-03-12", 30, [kwh(777.77, 0.1)])
    a.bill("three", "2026-03-12", "2026-04-14", 33, [kwh(333.333, 0.1)])

    # Tables that append, and rows that are no longer current
    old = "2026-06-01T06:00:00.000000Z"
    a = account("appended")
    a.bill("jan", JAN, FEB, 31, [kwh(100)], observed=old, snapshot=old)
    a.bill("jan", JAN, FEB, 31, [kwh(150)])
    a = account("gone")
    a.bill("jan", JAN, FEB, 31, [kwh(100)], observed=old, snapshot=old).bill("feb", FEB, MAR, 28, [kwh(50)])
    account("vanished", statement_count=0).bill("jan", JAN, FEB, 31, [kwh(100)])
    return tables


@pytest.fixture(scope="module")
def postgres() -> Iterator[dict[str, Any]]:
    """Run a PostgreSQL server."""
    with postgres_server() as options:
        yield options


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def warehouse(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """Fill a database with the stories and build every model and test of the package on it."""
    folder = tmp_path_factory.mktemp(request.param)
    variables = {"linkless_schema": "landed"}
    if request.param == "duckdb":
        made = Warehouse(folder, variables)
        made.do(stories().script(DUCKDB, "landed"))
    else:
        made = Warehouse(folder, variables, request.getfixturevalue("postgres"))
        made.do(stories().script(POSTGRES, "landed"))
    made.dbt("build")
    return made


def found(warehouse: Warehouse, model: str, columns: str, key: str) -> list[Row]:
    """Return columns of one story's rows of a model, in order."""
    query = f"select {columns} from {model} where connection_key = '{key}'"  # noqa: S608 - our own names
    return sorted(warehouse.ask(query))


FINDINGS: dict[str, list[Row]] = {
    "nested": [("overlap", "2026-02-01", "2026-03-01", "28", "quarter, feb", "error")],
    "no_period": [("no_period", "", "", "", "feb", "warn")],
    "gap": [("gap", "2026-02-01", "2026-03-01", "28", "jan, mar", "error")],
    "inclusive": [],
    "inclusive_untold": [],
    "exclusive_untold": [],
    "shared_day": [],
    "swapped": [],
    "one_day": [],
    "misread": [("no_period", "", "", "", "jan", "warn")],
    "equal": [("overlap", "2026-01-01", "2026-02-01", "31", "one, two", "error")],
    "duplicate": [("duplicate", "2026-01-01", "2026-02-01", "31", "one, two", "warn")],
    "overdue": [("overdue", "2026-05-01", "2026-07-01", "61", "mar", "error")],
    "apart": [],
    "rebilled": [],
    "cancelled": [],
}


@pytest.mark.parametrize("key", FINDINGS)
def test_coverage_finds_what_is_wrong_with_the_periods_and_nothing_else(warehouse: Warehouse, key: str) -> None:
    """Gaps, overlaps, duplicates, bills without a period and overdue accounts, each with its days and bills."""
    columns = "kind, start_date, end_date, days, statement_keys, severity"
    rows = found(warehouse, "linkless__coverage", columns, key)
    assert [row for row in rows if row[0] != "overdue" or key == "overdue"] == FINDINGS[key]


PERIODS: dict[str, list[Row]] = {
    "inclusive": [("feb", "2026-02-01", "2026-03-01", "28"), ("jan", "2026-01-01", "2026-02-01", "31")],
    "inclusive_untold": [("feb", "2026-02-05", "2026-03-05", "28"), ("jan", "2026-01-05", "2026-02-05", "31")],
    "exclusive_untold": [("feb", "2026-02-05", "2026-03-05", "28"), ("jan", "2026-01-05", "2026-02-05", "31")],
    "swapped": [("feb", "2026-02-01", "2026-03-01", "28"), ("jan", "2026-01-01", "2026-02-01", "31")],
    "one_day": [("day", "2026-01-01", "2026-01-02", "1")],
    "start_and_length": [("jan", "2026-01-01", "2026-02-01", "31")],
    "misread": [("jan", "", "", "")],
}


@pytest.mark.parametrize("key", PERIODS)
def test_a_period_ends_on_the_day_after_its_last(warehouse: Warehouse, key: str) -> None:
    """Whatever the bill prints: a last day or the day after it, two swapped dates, a date and a length."""
    assert found(warehouse, "linkless__bills", "statement_key, period_start, period_end, days", key) == PERIODS[key]


SUPERSEDED: dict[str, list[Row]] = {
    "rebilled": [("first", "false", "second"), ("reversal", "true", "second"), ("second", "false", "")],
    "reversed_without_lines": [("first", "false", "second"), ("reversal", "true", "second"), ("second", "false", "")],
    "cancelled": [("feb", "false", ""), ("first", "false", "reversal"), ("reversal", "true", "")],
    "rekeyed": [("first", "false", "second"), ("second", "false", "")],
    "duplicate": [("one", "false", "two"), ("two", "false", "")],
    "equal": [("one", "false", ""), ("two", "false", "")],
    "net_producer": [("jan", "false", "")],
    "late_fee": [("fee", "false", ""), ("jan", "false", "")],
    "two_meters_apart": [
        (f"{meter}-{month}", "false", "") for meter in ("one", "two") for month in ("feb", "jan", "mar")
    ],
}


@pytest.mark.parametrize("key", SUPERSEDED)
def test_a_bill_that_was_billed_again_is_superseded(warehouse: Warehouse, key: str) -> None:
    """Reversals are known by what they take back; the bill that counts is the one with nothing after it."""
    assert found(warehouse, "linkless__bills", "statement_key, is_reversal, superseded_by", key) == SUPERSEDED[key]


USAGE: dict[str, list[Row]] = {
    "rebilled": [("electricity", "kWh", "consumption", "1950")],
    "reversed_without_lines": [("electricity", "kWh", "consumption", "1950")],
    "rekeyed": [("electricity", "kWh", "consumption", "1950")],
    "duplicate": [("electricity", "kWh", "consumption", "100")],
    "two_meters_apart": [("electricity", "kWh", "consumption", "900")],
    "corrected_on_the_bill": [("electricity", "kWh", "consumption", "2250")],
    "repeated": [("electricity", "kWh", "consumption", "817")],
    "tiers": [("electricity", "kWh", "consumption", "817")],
    "equal_tiers": [("electricity", "kWh", "consumption", "1000")],
    "times_of_use": [("electricity", "kWh", "consumption", "800")],
    "total_and_tiers": [("electricity", "kWh", "consumption", "817")],
    "meters": [("electricity", "kWh", "consumption", "800")],
    "gas_and_water": [("gas", "CCF", "consumption", "12"), ("water", "CCF", "consumption", "7")],
    "words": [
        ("electricity", "kWh", "consumption", "100"),
        ("wastewater", "CCF", "consumption", "8"),
        ("water", "CCF", "consumption", "10"),
    ],
    "unknown": [("", "CCF", "consumption", "12")],
    "by_the_bill": [("gas", "CCF", "consumption", "12")],
    "gas_in_kwh": [("gas", "kWh", "consumption", "1200")],
    "german": [("electricity", "kWh", "consumption", "300"), ("wastewater", "m³", "consumption", "9")],
    "exports": [("electricity", "kWh", "consumption", "800"), ("electricity", "kWh", "export", "200")],
    "net_producer": [("electricity", "kWh", "consumption", "100"), ("electricity", "kWh", "export", "900")],
    "readings": [("electricity", "kWh", "consumption", "800")],
    "two_units": [("gas", "therms", "consumption", "62.6")],
    "cheap_hours": [("electricity", "kWh", "consumption", "800")],
    "appended": [("electricity", "kWh", "consumption", "150")],
    "gone": [("electricity", "kWh", "consumption", "50")],
    "vanished": [],
}


@pytest.mark.parametrize("key", USAGE)
def test_usage_counts_what_was_used_once(warehouse: Warehouse, key: str) -> None:
    """Repeated lines, tiers, meters, services, exports, readings and bills that were taken back."""
    columns = "coalesce(service, ''), unit, direction, sum(quantity)"
    query = f"select {columns} from linkless__usage where connection_key = '{key}' group by service, unit, direction"  # noqa: S608 - our own names
    assert sorted(warehouse.ask(query)) == USAGE[key]


def test_a_reversal_is_negative(warehouse: Warehouse) -> None:
    """The bill, its reversal and the new bill each have their own quantity."""
    quantities = found(warehouse, "linkless__usage", "statement_key, quantity, line_count", "rebilled")
    assert quantities == [("first", "1300", "1"), ("reversal", "-1300", "1"), ("second", "1950", "1")]


def test_every_line_with_a_quantity_is_counted_in_line_count(warehouse: Warehouse) -> None:
    """Supply, delivery and tax say one quantity on three lines; the demand is none of them."""
    assert found(warehouse, "linkless__usage", "quantity, line_count", "repeated") == [("817", "3")]


NORMALIZED: dict[str, list[Row]] = {
    "repeated": [("817", "kWh", "1", "exact")],
    "two_units": [("1834.624899", "kWh", "29.307107017222", "exact")],
    "gas_and_water": [
        ("19.821793", "m³", "2.8316846592", "exact"),
        ("360.829102", "kWh", "30.069091799670", "nominal heat content"),
    ],
    "unknown": [("33.980216", "m³", "2.8316846592", "exact")],
}


@pytest.mark.parametrize("key", NORMALIZED)
def test_quantities_are_given_in_units_of_reports(warehouse: Warehouse, key: str) -> None:
    """Energy in kWh, volume in m³; gas by volume in kWh, with the basis that says how sure that is."""
    columns = "quantity_normalized, unit_normalized, factor, basis"
    expected = [tuple(value.rstrip("0") if "." in value else value for value in row) for row in NORMALIZED[key]]
    assert found(warehouse, "linkless__usage", columns, key) == expected


COSTS = {
    "budget": "137.5",
    "credit_balance": "62.1",
    "without_lines": "100",
    "without_forward": "100",
    "unknown_cost": "",
    "carried_line": "60",
}


@pytest.mark.parametrize("key", COSTS)
def test_cost_is_what_the_bill_itself_charges(warehouse: Warehouse, key: str) -> None:
    """Budget plans, balances and debts of other months are no cost of this one."""
    assert found(warehouse, "linkless__bills", "cost", key) == [(COSTS[key],)]


def test_months_share_bills_by_day(warehouse: Warehouse) -> None:
    """22 of the first bill's 31 days are in January; the days of a month that no bill covers are told."""
    columns = "month, quantity, unit, days_covered, days_in_month, share_covered"
    assert found(warehouse, "linkless__monthly", columns, "months") == [
        ("2026-01-01", "709.748387", "kWh", "22", "31", "0.709677"),
        ("2026-02-01", "782.93928", "kWh", "28", "28", "1"),
        ("2026-03-01", "487.202333", "kWh", "31", "31", "1"),
        ("2026-04-01", "131.313", "kWh", "13", "30", "0.433333"),
    ]


def test_months_add_up_to_the_bills_to_the_last_digit(warehouse: Warehouse) -> None:
    """1000.1 + 777.77 + 333.333 kWh, and what they cost."""
    query = "select sum(quantity), sum(cost) from linkless__monthly where connection_key = 'months'"
    assert warehouse.ask(query) == [("2111.203", "211.12")]


def test_what_has_no_period_has_no_month(warehouse: Warehouse) -> None:
    """Nothing is put into a month by a guess, and nothing is lost."""
    rows = found(warehouse, "linkless__monthly", "coalesce(cast(month as varchar), ''), quantity, cost", "no_period")
    assert rows == [("", "100", "12"), ("2026-01-01", "817", "81.7"), ("2026-03-01", "817", "81.7")]


def test_days_that_two_bills_cover_count_once(warehouse: Warehouse) -> None:
    """February stands on two bills and has 28 days."""
    rows = found(warehouse, "linkless__monthly", "month, days_covered", "nested")
    assert rows == [("2026-01-01", "31"), ("2026-02-01", "28"), ("2026-03-01", "31"), ("2026-04-01", "30")]


def test_activity_has_one_row_for_each_service_of_a_bill_that_counts(warehouse: Warehouse) -> None:
    """The first bill and its reversal are left out; the site is the account where nothing else is known."""
    columns = "site, service, quantity, unit, start_date, end_date, country"
    expected = [("rebilled 1", "electricity", "1950", "kWh", "2026-01-01", "2026-02-01", "US")]
    assert found(warehouse, "linkless__activity", columns, "rebilled") == expected


def test_logins_tell_how_old_the_data_is(warehouse: Warehouse) -> None:
    """The newest row of each login, with the days since its newest data."""
    columns = "status, actor, days_without_new_data, latest_billing_date"
    assert found(warehouse, "linkless__logins", columns, "rebilled") == [("ready", "nobody", "0", "2026-03-02")]


def test_the_snapshot_keeps_what_a_corrected_bill_said_before(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """One bill is corrected, one comes back under another key; both versions of each are there."""
    made = Warehouse(tmp_path_factory.mktemp("versions"), {"linkless_schema": "landed"})
    before = Tables()
    before.account("plant").bill("jan", JAN, FEB, 31, [kwh(100)]).bill("feb", FEB, MAR, 28, [kwh(200)])
    made.do(before.script(DUCKDB, "landed"))
    chosen = ("build", "--select", "+linkless__statement_versions", "--exclude-resource-type", "test", "unit_test")
    made.dbt(*chosen)
    later = "2026-08-01T06:00:00.000000Z"
    times: dict[str, Any] = {"observed": later, "snapshot": later}
    after = Tables()
    after.account("plant").bill("jan", JAN, FEB, 31, [kwh(150)], **times).bill("new", FEB, MAR, 28, [kwh(250)], **times)
    made.do("drop schema landed cascade;" + after.script(DUCKDB, "landed"))
    made.dbt(*chosen)
    query = "select period_start, statement_key, cost, dbt_valid_to is null from linkless__statement_versions"
    assert sorted(made.ask(query)) == [
        ("2026-01-01", "jan", "12", "false"),
        ("2026-01-01", "jan", "18", "true"),
        ("2026-02-01", "feb", "24", "false"),
        ("2026-02-01", "new", "30", "true"),
    ]


def test_columns_and_tables_may_be_missing(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Only the statements and the charges are synced, by an older version without part_of and unit_price."""
    made = Warehouse(
        tmp_path_factory.mktemp("missing"), {"linkless_schema": "landed", "linkless_table_prefix": "bills_"}
    )
    tables = Tables()
    tables.account("plant").bill("jan", JAN, FEB, 31, [ENERGY])
    made.do(tables.script(DUCKDB, "landed"))
    made.do(
        "alter table landed.charges drop column part_of; alter table landed.charges drop column unit_price;"
        "drop table landed.accounts; drop table landed.payments; drop table landed.connections;"
        "alter table landed.charges rename to bills_charges; alter table landed.statements rename to bills_statements;"
    )
    made.dbt("build", "--exclude-resource-type", "test", "unit_test")
    assert made.ask("select service, quantity from linkless__usage") == [("electricity", "817")]
    assert made.ask("select quantity, cost from linkless__monthly") == [("817", "81.7")]


def test_compiled_models_parse_for_other_warehouses(warehouse: Warehouse) -> None:
    """Snowflake, BigQuery and Databricks are not run here; sqlglot reads the compiled models as they would."""
    models = {path.name for path in (PACKAGE / "models").rglob("*.sql") if not path.name.startswith("base_")}
    compiled = [path for path in (warehouse.folder / "target" / "compiled").rglob("*.sql") if path.name in models]
    assert {path.name for path in compiled} == models
    command = [str(DEMO_PYTHON), str(ROOT / "testing" / "sql_dialects.py"), *map(str, compiled)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


QUESTIONS = re.findall(r"\*\*(.+?)\*\*\n\n```sql\n(.*?)```", read("dbt/README.md"), re.DOTALL)


@pytest.mark.parametrize(("question", "query"), QUESTIONS)
def test_the_queries_of_the_readme_have_an_answer(warehouse: Warehouse, question: str, query: str) -> None:
    """Each of the five runs as it stands there."""
    rows = warehouse.ask(query)
    assert rows or question.startswith(("Which bills were corrected", "Which login", "What did each account"))
    assert len(QUESTIONS) == 5
