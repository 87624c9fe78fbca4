"""Whether every reader found the same: the rows of one document, in the columns that the readers have in common."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from benchmarks.peers.rows import STREAMS, Row

_NOT_COMPARED = frozenset({"connection_key", "observed_at", "snapshot_at"})
"""The peers name a connection by its token, which our connector does not let into a row; and every run has its time."""

Rows = Iterable[tuple[str, Row]]
_Counts = Mapping[str, Counter[str]]


def rows_of_lines(output: Path) -> Iterator[tuple[str, Row]]:
    """Read the rows of an output: lines of Airbyte's protocol or of Singer's."""
    for line in output.read_bytes().splitlines():
        message = json.loads(line)
        if message["type"] == "RECORD":
            record = message["record"]
            yield (record["stream"], record["data"]) if "stream" not in message else (message["stream"], record)


def rows_of_files(folder: Path) -> Iterator[tuple[str, Row]]:
    """Read the rows that dlt loaded into files."""
    for stream in STREAMS:
        for file in folder.glob(f"**/deck/{stream}/*.jsonl"):
            for line in file.read_bytes().splitlines():
                yield stream, json.loads(line)


def difference(expected: Rows, found: Rows, lacking: frozenset[str]) -> str | None:
    """Say how `found` differs from `expected`, in the columns of `expected` that `found` is not known to lack."""
    wanted = list(expected)
    columns: dict[str, set[str]] = {stream: set() for stream in STREAMS}
    for stream, row in wanted:
        columns[stream].update(row.keys() - _NOT_COMPARED - lacking)
    counts, theirs = _counted(wanted, columns), _counted(found, columns)
    for stream in STREAMS:
        missing, more = counts[stream] - theirs[stream], theirs[stream] - counts[stream]
        if missing or more:
            return (
                f"{stream}: {missing.total()} rows missing, {more.total()} not expected, e.g. {[*missing, *more][:2]}"
            )
    return None


def _counted(rows: Rows, columns: Mapping[str, set[str]]) -> _Counts:
    counts: _Counts = {stream: Counter() for stream in STREAMS}
    for stream, row in rows:
        if stream in STREAMS:
            counts[stream][_comparable(row, columns[stream])] += 1
    return counts


def _comparable(row: Row, columns: set[str]) -> str:
    """Write what counts of a row; nulls are left out, and 40.0 is 40."""
    counting = {name: value for name, value in sorted(row.items()) if name in columns and value is not None}
    return json.dumps({name: float(one) if isinstance(one, int) else one for name, one in counting.items()})
