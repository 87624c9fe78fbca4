"""A Singer tap on Meltano's SDK: one REST stream for each stream.

usage: python -m benchmarks.peers.singer --config CONFIG
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import requests
from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th

from benchmarks.peers.rows import STREAMS, Rows, rows_of_kind


class Documents(RESTStream[Any]):
    """One stream; it fetches each document for itself."""

    http_method = "POST"
    path = "/sustainability/get"
    replication_key = None
    rows: Rows

    @property
    def url_base(self) -> str:
        """Say where the provider is."""
        return str(self.config["url"])

    @property
    def partitions(self) -> list[dict[str, Any]]:
        """Make a partition of each connection."""
        return [{"connection_key": connection} for connection in self.config["connections"]]

    def prepare_request_payload(self, context: Any, next_page_token: Any) -> dict[str, Any]:  # noqa: ARG002 - the SDK's signature
        """Ask for the document of a connection."""
        return {"access_token": context["connection_key"]}

    def parse_response(self, response: requests.Response) -> Iterable[dict[str, Any]]:
        """Return the rows of this stream; which connection they are of, a response does not say."""
        return self.rows.of[self.name](response.json(), "")

    def post_process(self, row: dict[str, Any], context: Any = None) -> dict[str, Any]:
        """Name the connection."""
        row["connection_key"] = context["connection_key"]
        return row


class Deck(Tap):
    """Four streams of the same documents."""

    name = "tap-deck"
    config_jsonschema = th.PropertiesList(
        th.Property("url", th.StringType, required=True),
        th.Property("connections", th.ArrayType(th.StringType), required=True),
        th.Property("rows", th.StringType, required=True),
    ).to_dict()

    def discover_streams(self) -> list[Documents]:
        """Make the streams."""
        rows = rows_of_kind(self.config["rows"])
        return [_stream(self, rows, name) for name in STREAMS]


def _stream(tap: Deck, rows: Rows, name: str) -> Documents:
    stream = Documents(tap, name=name, schema=rows.schema(name), path=Documents.path)
    stream.primary_keys = ("connection_key", *rows.keys[name])
    stream.rows = rows
    return stream


if __name__ == "__main__":
    Deck.cli()
