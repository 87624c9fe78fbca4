"""README as a script: each command that it prints, word for word and in its order, against the simulator.

Only the configuration is filled in as a reader would: keys, a utility, a login. The commands run in a folder of the
test, with the scripts and environments of this repository. The first is `scripts/demo`: its database must hold what its
tables and the data dictionary say.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from linkless_simulator import Simulator
from testing.dbt_runs import Warehouse
from testing.generated_parts import ROOT, read

LONGEST_SECONDS = 900
HERE = re.compile(r"(?<![\w/])(scripts|examples|\.venv-demo|\.venv)/")
USERNAME = "user_good+first-hour"


def blocks(document: str) -> Iterator[tuple[str, str]]:
    """Yield the code blocks of a document with their languages."""
    for match in re.finditer(r"^```(\w+)\n(.*?)^```", read(document), re.DOTALL | re.MULTILINE):
        yield match[1], match[2]


def commands(document: str) -> list[str]:
    """Return the commands that a document prints, in their order."""
    shown = [text for language, text in blocks(document) if language == "console"]
    return [line[2:] for text in shown for line in text.splitlines() if line.startswith("$ ")]


def filled_in(simulator: Simulator) -> dict[str, object]:
    """Return the first configuration of README with what a reader puts there, and the address of the simulator."""
    example = next(text for language, text in blocks("README.md") if language == "json")
    config: dict[str, object] = json.loads(example)
    login = {"source_id": simulator.source_id, "username": USERNAME, "password": "pass_good"}
    keys = {"environment": "sandbox", "client_id": simulator.client_id, "secret": simulator.secret}
    assert isinstance(config["connection"], dict)
    return {**config, **keys, "connection": {**config["connection"], **login}, "api_url": simulator.url}


def run(command: str, folder: Path) -> str:
    """Run a command as a reader types it; return what it prints."""
    here = HERE.sub(rf"{ROOT}/\1/", command)
    environment = {**os.environ, "AIRBYTE_OFFLINE_MODE": "1", "DO_NOT_TRACK": "1"}  # as docs/running.md says
    end = subprocess.run(
        ["bash", "-c", here],  # noqa: S607 - the shell of the reader
        cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=LONGEST_SECONDS,
    )  # fmt: skip
    assert end.returncode == 0, f"{command}\n{end.stdout[-3000:]}\n{end.stderr[-3000:]}"
    return end.stdout


@dataclass(frozen=True, slots=True)
class FirstHour:
    """The folder in which README was followed, and what each of its commands printed."""

    folder: Path
    printed: dict[str, str]

    def of(self, part: str) -> str:
        """Return what the command with this part printed."""
        (text,) = [text for command, text in self.printed.items() if part in command]
        return text

    @property
    def demo(self) -> Path:
        """The database of the demo."""
        return self.folder / "linkless-demo" / "demo.duckdb"

    def ask_demo(self, query: str) -> list[tuple[object, ...]]:
        """Return the rows of a query to the database of the demo."""
        with duckdb.connect(str(self.demo), read_only=True) as database:
            return database.execute(query).fetchall()


@pytest.fixture(scope="module")
def hour(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> FirstHour:
    """Run README from top to bottom."""
    folder = tmp_path_factory.mktemp("first-hour")
    (folder / "my-config.json").write_text(json.dumps(filled_in(simulator), indent=2), encoding="utf-8")
    listed = [command for command in commands("README.md") if not command.startswith("git clone")]
    return FirstHour(folder, {command: run(command, folder) for command in listed})


def test_every_command_of_the_readme_works(hour: FirstHour, simulator: Simulator) -> None:
    """Demo, query, sync, check, catalog, read and run, in this order; the login is submitted once."""
    shown = hour.printed
    order = ["scripts/demo", "duckdb.connect", "scripts/sync", " check ", "linkless catalog", " read ", "linkless run"]
    assert len(shown) == len(order)
    assert [part for part, command in zip(order, shown, strict=True) if part not in command] == []
    assert simulator.backend.count("/link/connect", USERNAME) == 1


def test_the_query_of_the_demo_shows_the_login_that_needs_a_person(hour: FirstHour) -> None:
    """Its key, its status, its reason and the beginning of its message."""
    assert re.search(r"old-office.*needs_user.*InvalidCredentials.*The utility refused", hour.of("duckdb.connect"))


def test_each_way_loads_the_same_bills(hour: FirstHour, simulator: Simulator) -> None:
    """The database of `scripts/sync`, the messages of `read` and the file of `linkless run` hold every bill once."""
    folder = hour.folder
    bills = sum(len(account["statements"]) for account in simulator.backend.document(USERNAME)["accounts"])
    with duckdb.connect(str(folder / "bills.duckdb"), read_only=True) as database:
        assert database.sql("select count(*) from statements").fetchone() == (bills,)
    messages = [json.loads(line) for line in (folder / "messages.jsonl").read_text("utf-8").splitlines()]
    assert sum(one["type"] == "RECORD" and one["record"]["stream"] == "statements" for one in messages) == bills
    (records,) = (folder / "my-config.sync" / "records").iterdir()
    lines = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]
    assert sum(line["stream"] == "statements" for line in lines) == bills
    assert '"status":"SUCCEEDED"' in hour.of(" check ")


def test_the_command_that_the_demo_prints_shows_the_health_of_every_login(hour: FirstHour) -> None:
    """Word for word, from the folder in which the demo was run."""
    command = hour.of("scripts/demo").partition("Query the file\n")[2].partition("\n\n")[0]
    said = run(command, hour.folder)
    for shown in ("connection_key", "status", "reason", "message", "old-office", "InvalidCredentials"):
        assert shown in said


def test_no_bill_is_dated_in_the_future(hour: FirstHour) -> None:
    """Every bill was out when the demo ran."""
    assert hour.ask_demo("select count(*) from statements where billing_date > current_date") == [(0,)]


def test_the_tables_of_answers_are_printed_and_drawn(hour: FirstHour) -> None:
    """Usage and cost of every account, what is missing, and a picture."""
    for title in ("Usage and cost of the last twelve months", "Missing, doubled and late bills"):
        assert title in hour.of("scripts/demo")
    assert {kind for (kind,) in hour.ask_demo("select distinct kind from linkless__coverage")} >= {"gap", "overlap"}
    assert hour.demo.with_suffix(".png").stat().st_size > 0


def test_views_of_current_rows_are_in_the_database(hour: FirstHour) -> None:
    """Those of the data dictionary, with the rows of the newest documents."""
    assert hour.ask_demo("select count(*) from current_statements") == hour.ask_demo(
        "select count(*) from linkless__bills"
    )


def test_a_reversed_bill_counts_once(hour: FirstHour) -> None:
    """The plant has a bill of 1,300 kWh, its reversal, and one of 1,950 kWh for the same period."""
    query = """
        select sum(usage.quantity) from linkless__usage as usage
        where exists (select 1 from linkless__bills as bills where bills.is_reversal
            and bills.account_number = usage.account_number and bills.period_start = usage.period_start)
    """
    assert [f"{quantity:.0f}" for (quantity,) in hour.ask_demo(query)] == ["1950"]


def test_gas_and_water_of_one_bill_are_told_apart(hour: FirstHour) -> None:
    """Both are billed in CCF; the service that encloses the lines tells which is which."""
    query = "select distinct service from linkless__usage where connection_key = 'plant' and unit = 'CCF'"
    assert sorted(hour.ask_demo(query)) == [("gas",), ("water",)]


def test_the_package_with_all_its_tests_is_green_on_its_database(hour: FirstHour, tmp_path: Path) -> None:
    """`dbt build` for everybody who tries the package on the demo."""
    (tmp_path / "bills.duckdb").write_bytes(hour.demo.read_bytes())
    Warehouse(tmp_path, {}).dbt("build")
