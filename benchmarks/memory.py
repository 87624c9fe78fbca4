"""What ten thousand waiting connections cost in threads and memory, compared with ten.

    python -m benchmarks.memory             two runs, about two minutes
    python -m benchmarks.memory --short     a smaller fleet, for a machine whose speed is unknown

Nothing becomes ready before the deadline: every connection is asked, waits, and ends as a row `pending`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.connector import read
from benchmarks.figures import show
from benchmarks.provider import Fleet, provider

MOST_THREADS = 24
MOST_MORE_MEGABYTES = 60.0
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
    """Run both, print a table and JSON; the exit code says whether the bounds hold (with --short not that of time)."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory")
    parser.add_argument("--short", action="store_true", help="1,000 connections in place of 10,000")
    is_short = parser.parse_args(arguments).short
    many = dataclasses.replace(MANY, connections=1_000, seconds=15.0) if is_short else MANY
    figures = [waiting(FEW), waiting(many)]
    show(figures)
    return 0 if _holds(*figures, is_short=is_short) else 1


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
