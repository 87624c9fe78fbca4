"""Bills into a DuckDB file with PyAirbyte; the links that the connector writes back stay in the configuration file.

    python pyairbyte_duckdb.py CONFIG.json BILLS.duckdb SOURCE-LINKLESS

SOURCE-LINKLESS is the connector's program, in an environment of its own (PyAirbyte holds back packages it uses).
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import airbyte
from airbyte.caches import DuckDBCache


def sync(config_file: Path, cache: Any, connector: Path) -> None:
    """Read every stream incrementally into the cache."""
    source = airbyte.get_source(
        "source-linkless",
        config=json.loads(config_file.read_text("utf-8")),
        config_change_callback=lambda config: keep(config_file, config),  # without it every run links every login
        local_executable=connector,
        install_if_missing=False,
    )
    source.select_all_streams()
    # The connector's messages never show a secret; PyAirbyte's own check prints the values of a wrong configuration.
    source.read(cache=cache, skip_validation=True)


def keep(config_file: Path, config: dict[str, Any]) -> None:
    """Replace the configuration file whole, readable for its owner only."""
    new = config_file.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(config, file)
    new.replace(config_file)


if __name__ == "__main__":
    config_name, database, program = sys.argv[1:]
    sync(Path(config_name), DuckDBCache(db_path=database), Path(program))
