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

from benchmarks.peers.flat import KEYS, configuration, flat


@dlt.source(name="deck")
def deck(url: str, connections: list[str]) -> Any:
    """Make one resource that fetches, and a transformer for each table."""
    fetched = _documents(url, connections)
    return [fetched, *(_table(name, fetched) for name in KEYS)]


def _documents(url: str, connections: list[str]) -> Any:
    @dlt.resource(name="documents", selected=False)
    def documents() -> Iterator[dict[str, list[dict[str, Any]]]]:
        provider = RESTClient(base_url=url)
        for connection in connections:
            document = provider.post("/sustainability/get", json={"access_token": connection}).json()
            tables: dict[str, list[dict[str, Any]]] = {name: [] for name in KEYS}
            for stream, row in flat(document, connection):
                tables[stream].append(row)
            yield tables

    return documents


def _table(name: str, fetched: Any) -> Any:
    @dlt.transformer(name=name, data_from=fetched, primary_key=["connection_key", *KEYS[name]])
    def rows(tables: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
        return tables[name]

    return rows


def main(config: str, folder: str) -> None:
    """Load the files below the folder, and print how many rows each table got."""
    dlt.config["data_writer.disable_compression"] = True
    files = dlt.destinations.filesystem(bucket_url=f"file://{folder}/loaded")
    pipeline = dlt.pipeline("deck", pipelines_dir=f"{folder}/work", destination=files, dataset_name="deck")
    pipeline.run(deck(*configuration(config)), loader_file_format="jsonl")
    counts = pipeline.last_trace.last_normalize_info.row_counts
    print(json.dumps({name: counts[name] for name in KEYS}))


if __name__ == "__main__":
    main(sys.argv[1], str(Path(sys.argv[2]).absolute()))
