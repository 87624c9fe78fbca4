"""Run the dbt package in dbt/ on a DuckDB file or on a PostgreSQL server, and query its models."""

from __future__ import annotations

import csv
import io
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import duckdb

from testing.generated_parts import ROOT
from testing.postgres_server import program

PACKAGE = ROOT / "dbt"
DBT = ROOT / ".venv-demo" / "bin" / "dbt"

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Warehouse:
    """A database that dbt fills. `folder` is for what dbt writes beside it."""

    folder: Path
    variables: Mapping[str, Any]
    postgres: Mapping[str, Any] | None = None
    """Connection string of the server; None for DuckDB."""

    @property
    def file(self) -> Path:
        """Return the DuckDB file."""
        return self.folder / "bills.duckdb"

    def do(self, script: str) -> None:
        """Run statements."""
        if self.postgres is None:
            with duckdb.connect(str(self.file)) as database:
                database.execute(script)
        else:
            self._psql(script)

    def ask(self, query: str) -> list[Row]:
        """Return the rows of a query as texts: numbers without trailing zeros, '' for null, true and false."""
        if self.postgres is None:
            with duckdb.connect(str(self.file), read_only=True) as database:
                rows: list[Any] = database.execute(query).fetchall()
        else:
            read = csv.reader(io.StringIO(self._psql(query, "--csv", "--tuples-only")))
            rows = [row or [""] for row in read]  # a single null is an empty line
        return [tuple(_text(value) for value in row) for row in rows]

    def dbt(self, *arguments: str) -> str:
        """Run dbt and return what it printed; fail with that where dbt fails."""
        assert DBT.exists(), "dbt is missing: run scripts/test, or scripts/setup demo."
        paths = ["--profiles-dir", str(PACKAGE), "--project-dir", str(PACKAGE)]
        paths += ["--target-path", str(self.folder / "target"), "--log-path", str(self.folder / "logs")]
        variables = "{" + ", ".join(f"{name}: {value}" for name, value in self.variables.items()) + "}"
        target = "duckdb" if self.postgres is None else "postgres"
        command = [str(DBT), "--quiet", "--no-use-colors", *arguments, *paths, "--vars", variables, "--target", target]
        result = subprocess.run(
            command,
            cwd=self.folder,
            env=os.environ | self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout[-3000:]
        return result.stdout

    def _environment(self) -> dict[str, str]:
        quiet = {"DO_NOT_TRACK": "1", "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
        if self.postgres is None:
            return quiet | {"LINKLESS_DUCKDB": str(self.file)}
        names = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "username", "PGPASSWORD": "password"}
        given = {variable: str(self.postgres[name]) for variable, name in names.items()}
        return quiet | given | {"PGDATABASE": str(self.postgres["database"]), "LINKLESS_SCHEMA": "public"}

    def _psql(self, script: str, *options: str) -> str:
        command = [str(program("psql")), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", *options]
        result = subprocess.run(
            command,
            env=os.environ | self._environment() | {"PGTZ": "UTC"},
            input=script,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or value in ("t", "f"):
        return "true" if value in (True, "t") else "false"
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return str(value)
    return f"{number.normalize():f}" if number.is_finite() else str(value)
