"""What a manifest cannot say of the same rows, as the custom component that low-code has for such cases."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import requests
from airbyte_cdk.sources.declarative.extractors.record_extractor import RecordExtractor

from benchmarks.peers.same import ROWS


@dataclass
class RowsOfDocument(RecordExtractor):
    """Makes all rows of one stream out of a document."""

    stream: str

    def extract_records(self, response: requests.Response) -> Iterable[Mapping[str, Any]]:
        """Return the rows; of which connection, only the request says: an extractor is not told the partition."""
        asked = json.loads(response.request.body or b"")
        return ROWS.of[self.stream](response.json(), asked["access_token"])
