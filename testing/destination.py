"""A destination as the platform runs one: rows by primary key, and states that count after their whole line arrived."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from source_linkless.streams import catalog_streams

_OF_ONE_SYNC = {"observed_at", "snapshot_at", "waited_seconds"}
"""Columns whose values differ between two syncs of the same bills: only their types are compared."""

Rows = dict[str, dict[tuple[str, ...], dict[str, Any]]]


class Destination:
    """Appends and removes duplicates by primary key; keeps the last state of every stream."""

    def __init__(self) -> None:
        """Start empty."""
        self._keys = {
            stream.name: [name for (name,) in stream.source_defined_primary_key] for stream in catalog_streams()
        }
        self._rows: Rows = {name: {} for name in self._keys}
        self._states: dict[str, dict[str, Any]] = {}

    def take(self, messages: Iterable[Mapping[str, Any]], *, loses_uncommitted: bool = False) -> None:
        """Load the output of one run. If the run fails, keep of each stream what came before its last state."""
        pending: list[Mapping[str, Any]] = []
        for message in messages:
            if message["type"] == "RECORD":
                pending.append(message["record"])
            elif message["type"] == "STATE":
                name = message["state"]["stream"]["stream_descriptor"]["name"]
                self._states[name] = message["state"]
                self._load(record for record in pending if record["stream"] == name)
                pending = [record for record in pending if record["stream"] != name]
        if not loses_uncommitted:
            self._load(pending)

    def _load(self, records: Iterable[Mapping[str, Any]]) -> None:
        for record in records:
            row = record["data"]
            self._rows[record["stream"]][tuple(row[name] for name in self._keys[record["stream"]])] = row

    @property
    def states(self) -> list[dict[str, Any]]:
        """The states for the next run."""
        return list(self._states.values())

    @property
    def current(self) -> Rows:
        """The rows that are still in the documents, with every column; what differs from sync to sync as its type."""
        return {name: dict(self._current(rows)) for name, rows in self._rows.items()}

    def _current(self, rows: dict[tuple[str, ...], dict[str, Any]]) -> Iterable[tuple[tuple[str, ...], dict[str, Any]]]:
        newest: dict[tuple[str, ...], str] = {}
        for key, row in rows.items():
            newest[key[:2]] = max(newest.get(key[:2], ""), row.get("snapshot_at", ""))
        for key, row in rows.items():
            if row.get("snapshot_at", "") == newest[key[:2]]:
                yield key, row | {name: type(row[name]).__name__ for name in _OF_ONE_SYNC & row.keys()}
