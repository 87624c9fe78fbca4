"""What waiting and reading take in memory and threads.

    python -m benchmarks.memory             10 and 10,000 connections that wait; a document of 200 MB: six minutes
    python -m benchmarks.memory --short     1,000 connections, a document of 64 MB

Nothing becomes ready before the deadline: every connection is asked, waits, and ends as a row `pending`. The large
document is made while it is sent; no other process holds it, and what a read of one bill takes is not counted.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks import large
from benchmarks.connector import read
from benchmarks.figures import judge, parser, publish, show
from benchmarks.provider import Fleet, provider

MOST_THREADS = 104
"""96 for requests, which may hang, and a few others."""
MOST_MORE_MEGABYTES = 180.0
BYTES, SHORT_BYTES = 200_000_000, 64_000_000
_NEVER = 86_400.0


@dataclass(frozen=True, slots=True)
class Case:
    """How many connections wait, and for how many seconds."""

    connections: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run needed at most at once."""

    case: str
    connections: int
    asked: int
    """How many were asked for their document at least once."""
    threads: int
    peak_mb: float
    log_lines: int
    whole_process_s: float


FEW = Case(10, 10.0)
MANY = Case(10_000, 60.0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all, print tables and JSON; the exit code says whether the bounds hold (with --short not that of time)."""
    made = parser("memory", "1,000 connections in place of 10,000, a document of 64 MB")
    made.add_argument("--only", choices=("waiting", "document"), help="one of the two")
    made.add_argument("--small-bills", action="store_true", help="a document of 73 small bills an account, all streams")
    asked = made.parse_args(arguments)
    benchmarks = {"waiting": _waiting, "document": _document}
    chosen = [asked.only] if asked.only else [*benchmarks]
    hold = [benchmarks[name](asked) for name in chosen]
    return 0 if all(hold) else 1


def _waiting(asked: argparse.Namespace) -> bool:
    many = dataclasses.replace(MANY, connections=1_000, seconds=15.0) if asked.short else MANY
    figures = [waiting(FEW), waiting(many)]
    shown = show(figures)
    if asked.publish:
        publish("memory of waiting", shown)
    return _holds(*figures, is_short=asked.short)


def _document(asked: argparse.Namespace) -> bool:
    figures = large.found(SHORT_BYTES if asked.short else BYTES, is_of_small_bills=asked.small_bills)
    print(shown := large.table(figures))
    limits, holds = judge(large.limits(figures[-1]))
    if asked.publish and not asked.small_bills:
        publish("memory of a document", shown, limits)
    return holds


def _holds(few: Figures, many: Figures, *, is_short: bool) -> bool:
    is_small = many.threads <= MOST_THREADS and many.peak_mb - few.peak_mb <= MOST_MORE_MEGABYTES
    return is_small and (is_short or many.asked == many.connections)


def waiting(case: Case) -> Figures:
    """Let a process wait for connections that are never ready, until the deadline."""
    with provider(Fleet([_NEVER] * case.connections, linked=True)) as simulator:
        connection = {"method": "fleet", "connections": json.dumps(simulator.entries)}
        config = simulator.configuration(
            connection=connection, max_requests_per_second=10_000, data_timeout_minutes=case.seconds / 60
        )
        run = read(config)
        asked = simulator.observed().asked
    return Figures(
        case=f"{case.connections:,} waiting",
        connections=case.connections,
        asked=asked,
        threads=run.threads,
        peak_mb=run.peak_megabytes,
        log_lines=run.log_lines,
        whole_process_s=round(run.seconds, 2),
    )


if __name__ == "__main__":
    sys.exit(main())
