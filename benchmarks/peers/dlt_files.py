"""A dlt pipeline that fetches each document once and loads four tables into files of JSON lines.

usage: python -m benchmarks.peers.dlt_files CONFIG FOLDER
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
from dlt.sources.helpers.rest_client import RESTClient

from benchmarks.peers.rows import STREAMS, Rows, configuration, rows_of_kind


@dlt.source(name="deck")
def deck(url: str, connections: list[str], rows: Rows) -> Any:
    """Make one resource that fetches, and a transformer for each table."""
    fetched = _documents(url, connections, rows)
    return [fetched, *(_table(name, rows, fetched) for name in STREAMS)]


def _documents(url: str, connections: list[str], rows: Rows) -> Any:
    @dlt.resource(name="documents", selected=False)
    def documents() -> Iterator[dict[str, list[dict[str, Any]]]]:
        provider = RESTClient(base_url=url)
        for connection in connections:
            document = provider.post("/sustainability/get", json={"access_token": connection}).json()
            tables: dict[str, list[dict[str, Any]]] = {name: [] for name in STREAMS}
            for stream, row in rows.of_all(document, connection):
                tables[stream].append(row)
            yield tables

    return documents


def _table(name: str, rows: Rows, fetched: Any) -> Any:
    # Without a type, whole amounts and others would be two columns, and texts would be looked at for moments.
    types = {"number": "double", "string": "text"}
    columns = {column: {"data_type": types[kind]} for column, kind in rows.columns[name].items() if kind in types}

    @dlt.transformer(name=name, data_from=fetched, primary_key=["connection_key", *rows.keys[name]], columns=columns)
    def table(tables: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
        return tables[name]

    return table


def main(config: str, folder: str) -> None:
    """Load the files below the folder, and print how many rows each table got."""
    dlt.config["data_writer.disable_compression"] = True
    files = dlt.destinations.filesystem(bucket_url=f"file://{folder}/loaded")
    pipeline = dlt.pipeline("deck", pipelines_dir=f"{folder}/work", destination=files, dataset_name="deck")
    url, connections, kind = configuration(config)
    rows = rows_of_kind(kind)
    pipeline.run(deck(url, connections, rows), loader_file_format="jsonl")
    counts = pipeline.last_trace.last_normalize_info.row_counts
    print(json.dumps({name: counts[name] for name in STREAMS}))


if __name__ == "__main__":
    main(sys.argv[1], str(Path(sys.argv[2]).absolute()))
