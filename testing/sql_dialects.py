"""Parse SQL files as other warehouses would: `python testing/sql_dialects.py FILE...`, in the environment of the demo.

It prints each file and dialect that does not parse, with the reason, and ends with 1 if there is one.
"""

from __future__ import annotations

import sys
from pathlib import Path

import sqlglot

DIALECTS = ("snowflake", "bigquery", "databricks")


def main(paths: list[str]) -> int:
    """Parse every file in every dialect."""
    failures = 0
    for path in paths:
        text = Path(path).read_text(encoding="utf-8")
        for dialect in DIALECTS:
            try:
                sqlglot.parse_one(text, read=dialect)
            except sqlglot.errors.SqlglotError as error:
                failures += 1
                sys.stdout.write(f"{path}: {dialect}: {error}\n")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
