"""Bills into PostgreSQL with PyAirbyte; the rest is as in pyairbyte_duckdb.py.

    python pyairbyte_postgres.py CONFIG.json SERVER.json SOURCE-LINKLESS

SERVER.json has `host`, `port`, `database`, `username`, `password` and `schema_name`. PyAirbyte's own cache for
PostgreSQL spoils texts that look like numbers (account number 0012345678 becomes 12345678), so this takes the
one of demo/exact_postgres.py: run it with the root of the repository on PYTHONPATH, or copy that file beside it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pyairbyte_duckdb import sync

from demo.exact_postgres import ExactPostgresCache

if __name__ == "__main__":
    config_name, server, program = sys.argv[1:]
    sync(Path(config_name), ExactPostgresCache(**json.loads(Path(server).read_text("utf-8"))), Path(program))
