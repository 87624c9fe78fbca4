"""How large the state is, by accounts and by bills: it must grow with the accounts alone.

python -m benchmarks.states             about a minute
python -m benchmarks.states --short     fewer accounts and bills; the same limits
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.connector import MAIN, catalog, last_states
from benchmarks.costs import cpu_of
from benchmarks.deliverer import deliverer
from benchmarks.documents import Size, body
from benchmarks.figures import Limit, aligned, judge, parser, publish, spread
from benchmarks.jobs import ours_config

MOST_BYTES = 140.0
_BASE = Size(accounts=10, statements=12, charges=2, payments=1)


@dataclass(frozen=True, slots=True)
class Found:
    """The bytes of each stream's state after a document of this size."""

    size: Size
    streams: Mapping[str, int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Read three documents, print a table; the exit code says whether the limits hold."""
    asked = parser("states", "fewer accounts and bills").parse_args(arguments)
    more_bills, more_accounts = (60, 30) if asked.short else (360, 1_000)
    base, bills, accounts = (
        _states_of(size)
        for size in (_BASE, _sized(_BASE.accounts, more_bills), _sized(more_accounts, _BASE.statements))
    )
    print(sizes := _table([base, bills, accounts]))
    limits, holds = judge(_limits(base, bills, accounts))
    if asked.publish:
        publish("states", sizes, limits)
    return 0 if holds else 1


def _sized(accounts: int, statements: int) -> Size:
    return Size(accounts, statements, _BASE.charges, _BASE.payments)


def _states_of(size: Size) -> Found:
    with tempfile.TemporaryDirectory() as folder, deliverer([body(0, size)]) as provider:
        config, selected, output = (Path(folder) / name for name in ("config.json", "catalog.json", "output"))
        config.write_text(json.dumps(ours_config(provider.url, 1)), encoding="utf-8")
        selected.write_text(json.dumps(catalog()), encoding="utf-8")
        with output.open("wb") as lines:
            cpu_of([sys.executable, MAIN, "read", "--config", str(config), "--catalog", str(selected)], output=lines)
        return Found(size, {_name(state): _bytes(state) for state in last_states(output)})


def _name(state: Mapping[str, Mapping[str, Mapping[str, str]]]) -> str:
    return state["stream"]["stream_descriptor"]["name"]


def _bytes(state: Mapping[str, Mapping[str, object]]) -> int:
    return len(json.dumps(state["stream"]["stream_state"], separators=(",", ":")))


def _of_an_account(more: Found, base: Found, stream: str) -> float:
    return (more.streams[stream] - base.streams[stream]) / (more.size.accounts - base.size.accounts)


def _table(found: Sequence[Found]) -> str:
    head = ["bytes of state", *(f"{one.size.accounts:,} accounts, {one.size.statements} bills each" for one in found)]
    return aligned([*head, "an account"], [_row(found, stream) for stream in sorted(found[0].streams)])


def _row(found: Sequence[Found], stream: str) -> list[str]:
    base, *_, accounts = found
    sizes = [f"{one.streams[stream]:,}" for one in found]
    return [stream, *sizes, f"{_of_an_account(accounts, base, stream):.1f}"]


def _limits(base: Found, bills: Found, accounts: Found) -> list[Limit]:
    growth = spread([max(bills.streams[stream] / size for stream, size in base.streams.items())])
    largest = spread([max(_of_an_account(accounts, base, stream) for stream in base.streams)])
    return [
        Limit(f"bytes, {bills.size.statements} bills an account / {base.size.statements}", growth, at_most=1.0),
        Limit("bytes for an account, in the largest stream", largest, at_most=MOST_BYTES),
    ]


if __name__ == "__main__":
    sys.exit(main())
