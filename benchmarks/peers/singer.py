"""A Singer tap on Meltano's SDK: one REST stream for each stream.

usage: python -m benchmarks.peers.singer --config CONFIG
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import requests
from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th

from benchmarks.peers.flat import KEYS, flat, schema


class Documents(RESTStream[Any]):
    """One stream; it fetches each document for itself."""

    http_method = "POST"
    path = "/sustainability/get"
    replication_key = None

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
        """Yield the rows of this stream; the SDK adds the partition's `connection_key` to each."""
        for stream, row in flat(response.json(), ""):
            if stream == self.name:
                yield row


class Deck(Tap):
    """Four streams of the same documents."""

    name = "tap-deck"
    config_jsonschema = th.PropertiesList(
        th.Property("url", th.StringType, required=True),
        th.Property("connections", th.ArrayType(th.StringType), required=True),
    ).to_dict()

    def discover_streams(self) -> list[Documents]:
        """Make the streams."""
        return [_stream(self, name) for name in KEYS]


def _stream(tap: Deck, name: str) -> Documents:
    stream = Documents(tap, name=name, schema=schema(name), path=Documents.path)
    stream.primary_keys = ("connection_key", *KEYS[name])
    return stream


if __name__ == "__main__":
    Deck.cli()
