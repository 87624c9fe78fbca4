"""A stream that gives other rows than before has a higher version in `STREAMS`, so that warehouses get the rows again.

`projection_versions/document.json` never changes. `projection_versions/fingerprints.json` holds, for each stream, the
version and a hash of the rows that the document gives. `scripts/generate` writes the entry of a stream whose version is
higher than the recorded one. If that version has never been released, delete the entry instead of raising it again.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import orjson
import pytest

from source_linkless.bills import read_document
from source_linkless.streams import STREAMS
from source_linkless.sync.changes import StreamChanges
from testing.deliveries import Connection, delivered

FOLDER = Path(__file__).parent / "projection_versions"
DOCUMENT = (FOLDER / "document.json").read_bytes()
RECORDED = FOLDER / "fingerprints.json"
STREAMS_OF_DOCUMENTS = [name for name, stream in STREAMS.items() if stream.parts is not None]
"""`connections` is left out: its rows are sent in every sync, so it needs no version."""


def fingerprint(stream: str) -> str:
    """Return a hash of the rows that the document gives in a stream, in any order."""
    changes = StreamChanges(STREAMS[stream], None, start_date=None)
    rows = delivered(changes, Connection("key", "connection"), read_document(DOCUMENT), "2026-03-01T06:00:00.000000Z")
    lines = sorted(orjson.dumps(row, option=orjson.OPT_SORT_KEYS) for row in rows)
    assert lines
    return hashlib.sha256(b"\n".join(lines)).hexdigest()[:16]


def recorded() -> dict[str, dict[str, Any]]:
    """Return version and fingerprint of each stream, as they were when the version was last raised."""
    found: dict[str, dict[str, Any]] = json.loads(RECORDED.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("stream", STREAMS_OF_DOCUMENTS)
def test_other_rows_have_a_higher_version(stream: str) -> None:
    """When this fails, raise `version` of the stream in `STREAMS` and run `scripts/generate`."""
    now = {"version": STREAMS[stream].version, "rows": fingerprint(stream)}
    before = recorded().get(stream)
    if os.environ.get("UPDATE_DOCS") and (before is None or now["version"] > before["version"]):
        RECORDED.write_text(json.dumps({**recorded(), stream: now}, indent=2) + "\n", encoding="utf-8")
        before = now
    assert now == before


def test_no_stream_is_recorded_that_does_not_exist() -> None:
    """A renamed stream has a new entry, and the old one goes."""
    assert set(recorded()) == set(STREAMS_OF_DOCUMENTS)
