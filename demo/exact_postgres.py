"""PyAirbyte's PostgreSQL warehouse, without its guesses: every value arrives as the connector sent it.

PyAirbyte 0.71 reads a batch with pandas before it loads it, and pandas guesses. Account number 0012345678 becomes
12345678 (and stays as it is in a batch that has a number with a letter: two rows for one account). Times move by the
time zone of the server. What is unknown in a JSON column is the JSON value null, not NULL. In DuckDB all is well.

    cache = ExactPostgresCache(host=..., port=5432, database=..., username=..., password=..., schema_name="public")
    source.read(cache=cache)
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import sqlalchemy
from airbyte._processors.sql.postgres import PostgresSqlProcessor
from airbyte.caches import PostgresCache


class _ExactProcessor(PostgresSqlProcessor):  # type: ignore[misc]  # PyAirbyte lives in another environment than mypy
    def _write_files_to_new_table(self, files: list[Path], stream_name: str, batch_id: str) -> str:
        """Load files of records (gzipped JSON, one in each line) into a new table; return its name."""
        table: str = self._create_table_for_loading(stream_name, batch_id)
        types = {name: _exact(kind) for name, kind in self._get_sql_column_definitions(stream_name).items()}
        for file in files:
            _records(file).to_sql(
                table,
                self.get_sql_alchemy_url(),
                schema=self.sql_config.schema_name,
                if_exists="append",
                index=False,
                dtype=types,
            )
        return table


class ExactPostgresCache(PostgresCache):  # type: ignore[misc]  # as above
    """A PostgreSQL cache with the options of PyAirbyte's own."""

    _sql_processor_class: ClassVar[type[PostgresSqlProcessor]] = _ExactProcessor


def _records(file: Path) -> pd.DataFrame:
    """Read records without guessing at types. PostgreSQL reads a time in UTC as it stands there."""
    with gzip.open(file, "rt", encoding="utf-8", newline="\n") as lines:
        return pd.DataFrame([json.loads(line) for line in lines], dtype=object)


def _exact(kind: Any) -> Any:
    return sqlalchemy.JSON(none_as_null=True) if isinstance(kind, sqlalchemy.JSON) else kind
