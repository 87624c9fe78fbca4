"""The definitions for Airflow and Dagster, run by the real tools; `scripts/examples` makes their environments."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from linkless_simulator import Simulator
from testing.connector import PROGRAM, login_at
from testing.generated_parts import ROOT

pytestmark = pytest.mark.orchestrators
EXAMPLES = ROOT / "examples"

AIRFLOW = """
import os
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
assert not bag.import_errors, bag.import_errors
assert list(bag.dags) == ["linkless"]
print("STATE", bag.dags["linkless"].test().state)
"""

DAGSTER = """
import sys
sys.path.insert(0, sys.argv[1])
import dagster_definitions as example
from dagster import Definitions, materialize
Definitions.validate_loadable(example.defs)
result = materialize([example.linkless_streams])
events = result.get_asset_materialization_events()
counts = {event.asset_key.to_user_string(): event.materialization.metadata["records"].value for event in events}
print("SUCCESS", result.success, counts["linkless_connections"], counts["linkless_statements"] > 0)
"""


def ran(tool: str, program: str, folder: Path, *arguments: str, **environment: str) -> str:
    """Run Python in the environment of a tool; return the last line that it printed."""
    python = ROOT / f".venv-{tool}" / "bin" / "python"
    assert python.exists(), f"{tool} is not installed in {python.parent.parent.name}: run scripts/examples."
    result = subprocess.run(
        [str(python), "-W", "ignore", "-c", program, *arguments],
        cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=500,
    )  # fmt: skip
    assert result.returncode == 0, (result.stdout + result.stderr)[-5000:]
    return result.stdout.strip().splitlines()[-1]


def prepared(folder: Path, simulator: Simulator, username: str) -> dict[str, str]:
    """Write a configuration; return the environment variables that both definitions read."""
    folder.mkdir()
    config: dict[str, Any] = login_at(simulator, username)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return {"LINKLESS_FOLDER": str(folder), "LINKLESS_CONNECTOR": str(PROGRAM)}


def test_airflow_runs_the_dag_twice_and_links_once(simulator: Simulator, tmp_path: Path) -> None:
    """The DAG can be imported; two runs succeed, and the second submits nothing."""
    environment = prepared(tmp_path / "sync", simulator, "user_good+airflow")
    dags = tmp_path / "dags"
    dags.mkdir()
    for name in ("airflow_dag.py", "one_sync.py"):
        (dags / name).write_text((EXAMPLES / name).read_text("utf-8"), encoding="utf-8")
    environment |= {"AIRFLOW_HOME": str(tmp_path / "airflow"), "AIRFLOW__CORE__DAGS_FOLDER": str(dags)}
    environment |= {"AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    migrated = "from airflow.utils.db import initdb; initdb(); print('READY')"
    assert ran("airflow", migrated, tmp_path, **environment) == "READY"
    for _ in range(2):
        assert ran("airflow", AIRFLOW, tmp_path, **environment) == "STATE success"
    assert simulator.backend.count("/link/connect", "user_good+airflow") == 1


def test_dagster_materializes_the_assets_twice_and_links_once(simulator: Simulator, tmp_path: Path) -> None:
    """The definitions load; the first run has records of every kind, the second submits nothing and has one row."""
    environment = prepared(tmp_path / "sync", simulator, "user_good+dagster")
    environment |= {"DAGSTER_HOME": str(tmp_path)}
    found = [ran("dagster", DAGSTER, tmp_path, str(EXAMPLES), **environment) for _ in range(2)]
    assert found == ["SUCCESS True 1 True", "SUCCESS True 1 False"]
    assert simulator.backend.count("/link/connect", "user_good+dagster") == 1
