"""A classic connector: `AbstractSource` and one `HttpStream` for each stream, as the CDK's tutorials write them.

usage: python -m benchmarks.peers.classic read --config CONFIG --catalog CATALOG
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

import requests
from airbyte_cdk.entrypoint import launch
from airbyte_cdk.models import ConnectorSpecification
from airbyte_cdk.sources import AbstractSource
from airbyte_cdk.sources.streams import Stream
from airbyte_cdk.sources.streams.http import HttpStream

from benchmarks.peers.rows import STREAMS, rows_of_kind


class Documents(HttpStream):
    """One stream; it fetches each document for itself."""

    http_method = "POST"

    def __init__(self, name: str, config: Mapping[str, Any]) -> None:
        """Take the name of the stream and the configuration."""
        self._name, self._config = name, config
        self._rows = rows_of_kind(config["rows"])
        super().__init__()

    @property
    def name(self) -> str:
        """Name the stream."""
        return self._name

    @property
    def primary_key(self) -> list[str]:
        """Name the columns that identify a row."""
        return ["connection_key", *self._rows.keys[self._name]]

    @property
    def url_base(self) -> str:
        """Say where the provider is."""
        return f"{self._config['url']}/"

    def path(self, **_: Any) -> str:
        """Name the endpoint."""
        return "sustainability/get"

    def get_json_schema(self) -> Mapping[str, Any]:  # type: ignore[override]  # the CDK caches its own
        """Describe a row."""
        return self._rows.schema(self._name)

    def next_page_token(self, response: requests.Response) -> None:
        """Say that a document has one page."""

    def stream_slices(self, **_: Any) -> Iterable[Mapping[str, Any]]:
        """Make a slice of each connection."""
        return [{"connection": connection} for connection in self._config["connections"]]

    def request_body_json(
        self,
        stream_state: Mapping[str, Any] | None,  # noqa: ARG002 - the CDK's signature
        stream_slice: Mapping[str, Any] | None = None,
        next_page_token: Mapping[str, Any] | None = None,  # noqa: ARG002 - the CDK's signature
    ) -> Mapping[str, Any]:
        """Ask for the document of a connection."""
        return {"access_token": (stream_slice or {})["connection"]}

    def parse_response(
        self, response: requests.Response, *, stream_slice: Mapping[str, Any] | None = None, **_: Any
    ) -> Iterable[Mapping[str, Any]]:
        """Return the rows of this stream."""
        return self._rows.of[self._name](response.json(), (stream_slice or {})["connection"])


class Classic(AbstractSource):
    """Four streams of the same documents."""

    def spec(self, *_: Any) -> ConnectorSpecification:
        """Accept any configuration."""
        return ConnectorSpecification(connectionSpecification={"type": "object"})

    def check_connection(self, *_: Any) -> tuple[bool, None]:
        """Find everything in order."""
        return True, None

    def streams(self, config: Mapping[str, Any]) -> list[Stream]:
        """Make the streams."""
        return [Documents(name, config) for name in STREAMS]


if __name__ == "__main__":
    launch(Classic(), sys.argv[1:])
