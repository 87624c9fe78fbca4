"""Builds the answers in the database: views of the current rows, and the models of the dbt package in dbt/."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import duckdb

from demo.configuration import UnusableError

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "dbt"
_VIEW = re.compile(r"^create or replace view (?!current_statement_files).*?;$", re.DOTALL | re.MULTILINE)
"""The views of the data dictionary, but that of the opt-in stream, which the demo does not load."""


def build(database: Path) -> None:
    """Make the views that the data dictionary describes, then run dbt. Raises UnusableError where dbt fails."""
    dictionary = (ROOT / "docs" / "data-dictionary.md").read_text(encoding="utf-8")
    with duckdb.connect(str(database)) as connection:
        connection.execute("\n".join(_VIEW.findall(dictionary)))
    folder = database.with_suffix(".dbt").resolve()
    command = [str(Path(sys.executable).with_name("dbt")), "--quiet", "--no-use-colors", "build"]
    command += ["--exclude-resource-type", "test", "unit_test", "--target", "duckdb"]
    command += ["--project-dir", str(PACKAGE), "--profiles-dir", str(PACKAGE)]
    command += ["--target-path", str(folder / "target"), "--log-path", str(folder / "logs")]
    result = subprocess.run(
        command,
        env=os.environ | {"LINKLESS_DUCKDB": str(database.resolve()), "DO_NOT_TRACK": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode:
        raise UnusableError(f"The data is there, but dbt could not build the answers:\n{result.stdout.strip()}")
