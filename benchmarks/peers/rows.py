"""The two kinds of rows that readers make of a document; a configuration names one. Standard library only."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

Row = dict[str, Any]

STREAMS = ("accounts", "statements", "charges", "payments")
PLAIN, SAME = "plain", "same"
_MODULES = {PLAIN: "flat", SAME: "same"}
"""Imported when they are asked for: `same` needs what not every environment has."""


@dataclass(frozen=True, slots=True)
class Rows:
    """One kind of rows. What makes them is given a document, which it uses up, and the name of its connection."""

    of_all: Callable[[Row, str], Iterator[tuple[str, Row]]]
    """Makes (stream, row) of all streams in one pass."""
    of: Mapping[str, Callable[[Row, str], Iterator[Row]]]
    """Makes the rows of one stream, and does nothing that only others need."""
    keys: Mapping[str, tuple[str, ...]]
    """What identifies a row, without the connection."""
    columns: Mapping[str, Mapping[str, str]]
    """The JSON type of every column of every stream."""

    def schema(self, stream: str) -> Row:
        """Return the JSON schema of a stream's rows."""
        columns = {name: _column(kind) for name, kind in self.columns[stream].items()}
        return {"type": "object", "additionalProperties": True, "properties": columns}


def _column(kind: str) -> Row:
    told: Row = {"type": ["null", kind]}
    return told | {"items": {"type": "object"}} if kind == "array" else told


def rows_of_kind(kind: str) -> Rows:
    """Import one of the two kinds."""
    rows: Rows = import_module(f"benchmarks.peers.{_MODULES[kind]}").ROWS
    return rows


def configuration(path: str) -> tuple[str, list[str], str]:
    """Read where the provider is, the access tokens (each is the name of its connection too), the kind of rows."""
    told = json.loads(Path(path).read_bytes())
    return told["url"], told["connections"], told["rows"]
