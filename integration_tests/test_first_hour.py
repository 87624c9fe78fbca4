"""README as a script: each command that it prints, word for word and in its order, against the simulator.

Only the configuration is filled in as a reader would: keys, a utility, a login. The commands run in a folder of the
test, with the scripts and environments of this repository.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from linkless_simulator import Simulator
from testing.generated_parts import ROOT, read

LONGEST_SECONDS = 400
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


@pytest.fixture(scope="module")
def printed(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Run README from top to bottom; return the folder, and what each command printed."""
    folder = tmp_path_factory.mktemp("first-hour")
    (folder / "my-config.json").write_text(json.dumps(filled_in(simulator), indent=2), encoding="utf-8")
    listed = [command for command in commands("README.md") if not command.startswith("git clone")]
    return folder, {command: run(command, folder) for command in listed}


def test_every_command_of_the_readme_works(printed: tuple[Path, dict[str, str]], simulator: Simulator) -> None:
    """Demo, query, sync, check, catalog, read and run, in this order; the login is submitted once."""
    _, shown = printed
    order = ["scripts/demo", "duckdb.connect", "scripts/sync", " check ", "linkless catalog", " read ", "linkless run"]
    assert len(shown) == len(order)
    assert [part for part, command in zip(order, shown, strict=True) if part not in command] == []
    assert simulator.backend.count("/link/connect", USERNAME) == 1


def test_the_query_of_the_demo_shows_the_login_that_needs_a_person(printed: tuple[Path, dict[str, str]]) -> None:
    """Its key, its status, its reason and the beginning of its message."""
    (query,) = [text for command, text in printed[1].items() if "duckdb.connect" in command]
    assert re.search(r"old-office.*needs_user.*InvalidCredentials.*The utility refused", query)


def test_each_way_loads_the_same_bills(printed: tuple[Path, dict[str, str]], simulator: Simulator) -> None:
    """The database of `scripts/sync`, the messages of `read` and the file of `linkless run` hold every bill once."""
    folder, shown = printed
    bills = sum(len(account["statements"]) for account in simulator.backend.document(USERNAME)["accounts"])
    with duckdb.connect(str(folder / "bills.duckdb"), read_only=True) as database:
        assert database.sql("select count(*) from statements").fetchone() == (bills,)
    messages = [json.loads(line) for line in (folder / "messages.jsonl").read_text("utf-8").splitlines()]
    assert sum(one["type"] == "RECORD" and one["record"]["stream"] == "statements" for one in messages) == bills
    (records,) = (folder / "my-config.sync" / "records").iterdir()
    lines = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]
    assert sum(line["stream"] == "statements" for line in lines) == bills
    assert '"status":"SUCCEEDED"' in next(text for command, text in shown.items() if " check " in command)


def test_pyairbyte_goes_on_from_there(printed: tuple[Path, dict[str, str]], simulator: Simulator) -> None:
    """The script that README links, with the same configuration, submits nothing and loads every bill."""
    folder, _ = printed
    assert "(examples/pyairbyte_duckdb.py)" in read("README.md")
    program = ".venv/bin/source-linkless"
    run(f".venv-demo/bin/python -W ignore examples/pyairbyte_duckdb.py my-config.json more.duckdb {program}", folder)
    with duckdb.connect(str(folder / "more.duckdb"), read_only=True) as database:
        count = database.sql("select count(*) from statements").fetchone()
    assert count == (sum(len(one["statements"]) for one in simulator.backend.document(USERNAME)["accounts"]),)
    assert simulator.backend.count("/link/connect", USERNAME) == 1
