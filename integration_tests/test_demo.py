"""`scripts/demo` as a user runs it: it ends well, its answers are in the database, the command that it prints works."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from testing.dbt_runs import Warehouse
from testing.generated_parts import ROOT


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demo printed, and its database."""

    printed: str
    database: Path

    def ask(self, query: str) -> list[tuple[object, ...]]:
        """Return the rows of a query."""
        with duckdb.connect(str(self.database), read_only=True) as database:
            return database.execute(query).fetchall()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """Run the demo once, half a minute of which it waits for its slow login."""
    database = tmp_path_factory.mktemp("demo") / "bills.duckdb"
    result = subprocess.run(
        [str(ROOT / "scripts" / "demo"), "--database", str(database)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    return Demo(result.stdout, database)


def test_the_command_that_it_prints_shows_the_health_of_every_login(demo: Demo) -> None:
    """Word for word, from the folder in which the demo was run."""
    command = demo.printed.partition("Query the file\n")[2].partition("\n\n")[0]
    result = subprocess.run(
        ["/bin/bash", "-c", command], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    for shown in ("connection_key", "status", "reason", "message", "old-office", "InvalidCredentials"):
        assert shown in result.stdout


def test_no_bill_is_dated_in_the_future(demo: Demo) -> None:
    """Every bill was out when the demo ran."""
    assert demo.ask("select count(*) from statements where billing_date > current_date") == [(0,)]


def test_the_tables_of_answers_are_printed_and_drawn(demo: Demo) -> None:
    """Usage and cost of every account, what is missing, and a picture."""
    for title in ("Usage and cost of the last twelve months", "Missing, doubled and late bills"):
        assert title in demo.printed
    assert {kind for (kind,) in demo.ask("select distinct kind from linkless__coverage")} >= {"gap", "overlap"}
    assert demo.database.with_suffix(".png").stat().st_size > 0


def test_views_of_current_rows_are_in_the_database(demo: Demo) -> None:
    """Those of the data dictionary, with the rows of the newest documents."""
    assert demo.ask("select count(*) from current_statements") == demo.ask("select count(*) from linkless__bills")


def test_a_reversed_bill_counts_once(demo: Demo) -> None:
    """The plant has a bill of 1,300 kWh, its reversal, and one of 1,950 kWh for the same period."""
    query = """
        select sum(usage.quantity) from linkless__usage as usage
        where exists (select 1 from linkless__bills as bills where bills.is_reversal
            and bills.account_number = usage.account_number and bills.period_start = usage.period_start)
    """
    assert [f"{quantity:.0f}" for (quantity,) in demo.ask(query)] == ["1950"]


def test_gas_and_water_of_one_bill_are_told_apart(demo: Demo) -> None:
    """Both are billed in CCF; the service that encloses the lines tells which is which."""
    query = "select distinct service from linkless__usage where connection_key = 'plant' and unit = 'CCF'"
    assert sorted(demo.ask(query)) == [("gas",), ("water",)]


def test_the_package_with_all_its_tests_is_green_on_its_database(demo: Demo, tmp_path: Path) -> None:
    """`dbt build` for everybody who tries the package on the demo."""
    (tmp_path / "bills.duckdb").write_bytes(demo.database.read_bytes())
    Warehouse(tmp_path, {}).dbt("build")
