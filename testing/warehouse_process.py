"""PyAirbyte in its own environment: syncs and runs queries. Requests and answers are lines of JSON.

    {"cache": {"kind": "duckdb", ...}, "sync": CONFIGURATION, "connector": PROGRAM}  ->  {"config": as written back}
    {"cache": {"kind": "duckdb", ...}, "ask": QUERY}                                 ->  {"rows": [[...], ...]}
    {"cache": {"kind": "duckdb", ...}, "do": STATEMENTS}                             ->  {}

Everything that goes wrong ends it; what PyAirbyte prints goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import airbyte
from airbyte.caches import DuckDBCache, PostgresCache

from demo.exact_postgres import ExactPostgresCache

Request = Mapping[str, Any]

_CACHES = {"duckdb": DuckDBCache, "postgres": ExactPostgresCache, "postgres of PyAirbyte": PostgresCache}


@cache
def _source(program: str) -> tuple[Any, dict[str, Any]]:
    """Return the connector, and the configuration that it writes back. Its streams are discovered only once."""
    written_back: dict[str, Any] = {}
    source = airbyte.get_source(
        "source-linkless",
        config_change_callback=written_back.update,
        local_executable=Path(program),
        install_if_missing=False,
    )
    return source, written_back


def _sync(warehouse: Any, request: Request) -> dict[str, Any]:
    """Read every stream (or `streams`), incrementally; the links that the connector writes back are kept."""
    source, written_back = _source(request["connector"])
    written_back.clear()
    written_back.update(request["sync"])
    source.set_config(request["sync"], validate=False)  # the connector validates it, as in the demo
    source.select_streams(request.get("streams", "*"))
    source.read(cache=warehouse, skip_validation=True)
    return {"config": written_back}


def _ask(warehouse: Any, request: Request) -> dict[str, Any]:
    with warehouse.get_sql_engine().connect() as connection:
        return {"rows": [list(row) for row in connection.exec_driver_sql(request["ask"])]}


def _do(warehouse: Any, request: Request) -> dict[str, Any]:
    with warehouse.get_sql_engine().begin() as connection:
        connection.exec_driver_sql(request["do"])
    return {}


_ANSWERS: Mapping[str, Callable[[Any, Request], dict[str, Any]]] = {"sync": _sync, "ask": _ask, "do": _do}


def _answer(request: Request) -> dict[str, Any]:
    options = dict(request["cache"])
    warehouse = _CACHES[options.pop("kind")](**options)
    (answer,) = (_ANSWERS[name] for name in _ANSWERS if name in request)
    try:
        return answer(warehouse, request)
    finally:
        warehouse.close()


def _as_text(value: object) -> str:
    """Serialise types that JSON lacks: decimals with all digits, dates and times as ISO 8601."""
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def main() -> None:
    """Answer until standard input ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for line in sys.stdin:
        answers.write(json.dumps(_answer(json.loads(line)), default=_as_text) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
