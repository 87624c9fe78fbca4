"""Bills into a DuckDB file with PyAirbyte; the links that the connector writes back stay in the configuration file.

    python pyairbyte_duckdb.py CONFIG.json BILLS.duckdb SOURCE-LINKLESS

Install PyAirbyte (`pip install airbyte==0.71.3`) for Python 3.10 to 3.12, in an environment of its own: it holds back
packages that the connector uses. SOURCE-LINKLESS is the connector's program, in an environment of Python 3.11 to 3.13.
Without internet access set AIRBYTE_OFFLINE_MODE=1, or PyAirbyte fails when it looks for its registry.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

# PyAirbyte hands the configuration to the connector in a file that everybody may read: so in a private folder.
PRIVATE = tempfile.TemporaryDirectory()
os.environ["AIRBYTE_TEMP_DIR"] = PRIVATE.name  # read by the import below
os.umask(0o077)  # the database is for its owner only

import airbyte  # noqa: E402 - see above
from airbyte.caches import DuckDBCache  # noqa: E402 - see above


def sync(config_file: Path, cache: Any, connector: Path) -> None:
    """Read every stream incrementally into the cache."""

    def keep(config: dict[str, Any]) -> None:
        """Keep the links: in the file for the next run, in the source for the next read of this run."""
        replace(config_file, config)
        source.set_config(config, validate=False)

    source = airbyte.get_source(
        "source-linkless",
        config=configuration(config_file),
        config_change_callback=keep,  # without it every run links every login
        local_executable=connector,
        install_if_missing=False,
    )
    source.select_streams([name for name in source.get_available_streams() if name != "statement_files"])
    # The connector's messages never show a secret; PyAirbyte's own check prints the values of a wrong configuration.
    source.read(cache=cache, skip_validation=True)


def configuration(path: Path) -> dict[str, Any]:
    """Return the configuration in a file; a file that holds none ends the program with one sentence."""
    try:
        config = json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        sys.exit(f"The configuration file {path} cannot be read: {error.strerror}.")
    except UnicodeDecodeError:
        sys.exit(f"The configuration file {path} is not written in UTF-8.")
    except (json.JSONDecodeError, RecursionError) as error:
        sys.exit(f"The configuration file {path} is not valid JSON: {error}.")
    if not isinstance(config, dict):
        sys.exit(f"The configuration file {path} must hold a JSON object, in braces.")
    return config


def replace(path: Path, config: dict[str, Any]) -> None:
    """Replace the configuration file whole, readable for its owner only."""
    descriptor, new = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)  # noqa: PTH105 - `new` is a name


if __name__ == "__main__":
    config_name, database, program = sys.argv[1:]
    sync(Path(config_name), DuckDBCache(db_path=database), Path(program))
