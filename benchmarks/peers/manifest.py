"""A low-code connector: a declarative manifest with four streams, run by the CDK.

Plain rows are made by what manifests have: extractors, expanders and transformations. The columns of ours are beyond
those: the key of a line depends on its twins in the bill, and there is no hash of nested values. So the same rows come
from a custom extractor, which leaves nothing to transformations.

usage: python -m benchmarks.peers.manifest read --config CONFIG --catalog CATALOG
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airbyte_cdk.entrypoint import AirbyteEntrypoint, launch
from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer
from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource

from benchmarks.peers.rows import SAME, STREAMS, Rows, rows_of_kind

_BILLS = ["accounts", "*", "statements", "*"]
_OF_BILL = {"account_number": "account_number", "statement_id": "statement_key", "currency_code": "currency_code"}
_OF_CHARGE = {**_OF_BILL, "billing_date": "billing_date"}
_CONNECTION = {"path": ["connection_key"], "value": "{{ stream_partition['connection'] }}"}
_BILL = {"path": ["statement_key"], "value": "{{ record['statement_id'] }}"}
_REQUESTER = {
    "type": "HttpRequester",
    "url_base": "{{ config['url'] }}",
    "path": "/sustainability/get",
    "http_method": "POST",
    "request_body_json": {"access_token": "{{ stream_partition['connection'] }}"},
}


def manifest(kind: str) -> dict[str, Any]:
    """Return the whole manifest for rows of a kind."""
    rows = rows_of_kind(kind)
    streams = _with_custom_extractors(rows) if kind == SAME else _without_code(rows)
    return {
        "version": "7.39.1",
        "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": ["accounts"]},
        "streams": streams,
        "spec": {"type": "Spec", "connection_specification": {"type": "object"}},
    }


def _without_code(rows: Rows) -> list[dict[str, Any]]:
    parts = {
        "accounts": (_extractor(["accounts"]), [_added(_CONNECTION), _removed("statements")]),
        "statements": (_extractor(_BILLS), [_added(_CONNECTION, _BILL), _removed("charges", "payments")]),
        "charges": (_extractor(_BILLS, "charges", _OF_CHARGE), [_added(_CONNECTION)]),
        "payments": (_extractor(_BILLS, "payments", _OF_BILL), [_added(_CONNECTION)]),
    }
    return [_stream(name, rows, extractor, transformations) for name, (extractor, transformations) in parts.items()]


def _with_custom_extractors(rows: Rows) -> list[dict[str, Any]]:
    custom = {"type": "CustomRecordExtractor", "class_name": "benchmarks.peers.components.RowsOfDocument"}
    return [_stream(name, rows, {**custom, "stream": name}, []) for name in STREAMS]


def _extractor(path: list[str], lines: str = "", of_bill: Mapping[str, str] | None = None) -> dict[str, Any]:
    extractor: dict[str, Any] = {"type": "DpathExtractor", "field_path": path}
    if of_bill:
        extractor["record_expander"] = {
            "type": "RecordExpander",
            "expand_records_from_field": [lines],
            "parent_fields": [{"parent_path": [one], "record_path": [column]} for one, column in of_bill.items()],
        }
    return extractor


def _added(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "AddFields", "fields": list(fields)}


def _removed(*fields: str) -> dict[str, Any]:
    return {"type": "RemoveFields", "field_pointers": [[field] for field in fields]}


def _stream(name: str, rows: Rows, extractor: dict[str, Any], transformations: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "type": "DeclarativeStream",
        "name": name,
        "primary_key": ["connection_key", *rows.keys[name]],
        "schema_loader": {"type": "InlineSchemaLoader", "schema": rows.schema(name)},
        "transformations": transformations,
        "retriever": {
            "type": "SimpleRetriever",
            "partition_router": {
                "type": "ListPartitionRouter",
                "cursor_field": "connection",
                "values": "{{ config['connections'] }}",
            },
            "record_selector": {"type": "RecordSelector", "extractor": extractor},
            "requester": _REQUESTER,
        },
    }


def main(arguments: list[str]) -> None:
    """Run one command of the connector."""
    config = json.loads(Path(str(AirbyteEntrypoint.extract_config(arguments))).read_bytes())
    catalog = AirbyteEntrypoint.extract_catalog(arguments)
    source = ConcurrentDeclarativeSource(
        catalog=ConfiguredAirbyteCatalogSerializer.load(json.loads(Path(str(catalog)).read_bytes())),
        config=config,
        state=None,
        source_config=manifest(config["rows"]),
    )
    launch(source, arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
