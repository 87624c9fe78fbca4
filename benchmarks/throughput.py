"""What a record costs: CPU and instructions of the floor, of ours and of the peers, on the same documents.

    python -m benchmarks.throughput             all of them, about twenty minutes
    python -m benchmarks.throughput --short     one round, instructions of floor and ours: only those decide
    python -m benchmarks.throughput --only floor ours --measure instructions

A cost is that of a whole process. The cost of a record is the difference between many connections and few, so that
starting and ending drop out, divided by the rows of four streams, whatever a job sends of them. In every round all take
their turn, and ratios are made within a round.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.agreement import Rows, difference, rows_of_files, rows_of_lines
from benchmarks.costs import Switch, cpu_of, instructions_from_first_document
from benchmarks.deliverer import Deliverer, deliverer
from benchmarks.documents import Size, body
from benchmarks.figures import Limit, aligned, judge, parser, publish, ratio, spread
from benchmarks.jobs import (
    CLASSIC,
    DLT,
    FLOOR,
    JOBS,
    MANIFEST,
    OURS,
    SAME,
    SAME_ROWS,
    SINGER,
    UNCHANGED,
    Job,
    Workshop,
    versions,
)

SIZE = Size()
MOST_INSTRUCTIONS = 0.85
"""The largest allowed ratio: instructions of ours for a record / those of the floor with the same rows."""
LEAST_CPU = {CLASSIC: 4.0, MANIFEST: 30.0, SINGER: 7.0, DLT: 3.5}
"""The smallest allowed ratio: CPU of the peer for a record / CPU of ours."""
DECIDING = frozenset({SAME, MANIFEST, *SAME_ROWS.values()} - {SAME_ROWS[MANIFEST]})
"""The comparisons whose limits decide: readers that make the same rows, and the plain manifest for low-code."""
_ROUNDS = 9
_FEW, _MANY = 1, 3
"""Connections of the two runs whose instructions are compared."""
_COUNTED_SHORT = (FLOOR, SAME, OURS)
_COUNTED = (FLOOR, SAME, OURS, UNCHANGED, CLASSIC, SAME_ROWS[CLASSIC])
"""Counting is fifty times as slow as running: the slowest readers would take an hour."""

Costs = Mapping[Job, Sequence[float]]
"""What a record cost in each round."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print tables; the exit code says whether the limits hold."""
    made = parser("throughput", "one round, and instructions of the floor and ours alone; CPU does not decide")
    made.add_argument("--only", nargs="+", choices=JOBS, default=[*JOBS], metavar="NAME", help=", ".join(JOBS))
    made.add_argument("--measure", choices=("cpu", "instructions", "both"), default="both")
    asked = made.parse_args(arguments)
    jobs = [JOBS[name] for name in asked.only]
    if missing := [job.name for job in jobs if not Path(job.command[0]).exists()]:
        sys.exit(f"No environment for {', '.join(missing)}: scripts/bench makes them.")
    counted = [job for job in jobs if job in (_COUNTED_SHORT if asked.short else _COUNTED)]
    with tempfile.TemporaryDirectory() as folder, deliverer(*_documents(jobs)) as provider:
        bench = Bench(provider, Path(folder))
        bench.prepare(jobs)
        cpu = bench.cpu(jobs, 1 if asked.short else _ROUNDS) if asked.measure != "instructions" else {}
        instructions = bench.instructions(counted) if asked.measure != "cpu" else {}
    print(costs := _table(jobs, cpu, instructions))
    limits, holds = judge(_limits(cpu, instructions, is_short=asked.short))
    if asked.publish:
        publish("throughput", costs, limits, versions())
    return 0 if holds else 1


def _documents(jobs: Sequence[Job]) -> tuple[list[bytes], dict[str, list[bytes]]]:
    """Return the documents as documented, and by what is odd about them the others that are read."""
    numbers = range(max(job.many for job in jobs))
    odd = {job.odd for job in jobs if job.odd}
    return [body(number, SIZE) for number in numbers], {one: [body(n, SIZE, one) for n in numbers] for one in odd}


class Bench:
    """Runs readers against one provider."""

    def __init__(self, provider: Deliverer, folder: Path) -> None:
        """Keep all files below the folder."""
        self._provider, self._workshop, self._folder = provider, Workshop(folder, provider.url), folder

    def prepare(self, jobs: Sequence[Job]) -> None:
        """Let each read one document: byte code is written, and all must have found the same rows."""
        expected = {floor.kind: list(rows_of_lines(self._output_of(floor, 1))) for floor in (FLOOR, SAME)}
        for job in jobs:
            if job is UNCHANGED:
                self._workshop.keep(self._output_of(OURS, UNCHANGED.many))
            self._check(job, expected[job.kind])

    def _check(self, job: Job, expected: Rows) -> None:
        output = self._output_of(job, 1)
        found = rows_of_files(self._workshop.files_of(job)) if job.writes_files else rows_of_lines(output)
        wanted = [] if job is UNCHANGED else [row for row in expected if row[0] in job.streams]
        if told := difference(wanted, found, job.lacks):
            sys.exit(f"{job.name} found other rows than the floor of its kind. {told}")

    def _output_of(self, job: Job, connections: int) -> Path:
        path = self._folder / "output"
        with path.open("wb") as output:
            cpu_of(self._workshop.command(job, connections), output=output)
        return path

    def cpu(self, jobs: Sequence[Job], rounds: int) -> Costs:
        """Measure microseconds of CPU for a record, all in turn in every round."""
        costs: dict[Job, list[float]] = {job: [] for job in jobs}
        for number in range(rounds):
            for job, found in costs.items():
                few, many = (cpu_of(self._workshop.command(job, n)) for n in (job.few, job.many))
                found.append((many - few) / (job.many - job.few) / SIZE.records * 1e6)
                print(f"round {number + 1}: {job.name} {found[-1]:.2f} µs a record", file=sys.stderr)
        return costs

    def instructions(self, jobs: Sequence[Job]) -> Costs:
        """Count instructions for a record, once: they repeat."""
        costs = {}
        for job in jobs:
            few, many = (self._instructions(job, connections) for connections in (_FEW, _MANY))
            costs[job] = [(many - few) / (_MANY - _FEW) / SIZE.records]
            print(f"{job.name}: {costs[job][0]:,.0f} instructions a record", file=sys.stderr)
        return costs

    def _instructions(self, job: Job, connections: int) -> int:
        def arm(switch: Switch) -> None:
            self._provider.before_first = switch

        return instructions_from_first_document(self._workshop.command(job, connections), arm)


def _table(jobs: Sequence[Job], cpu: Costs, instructions: Costs) -> str:
    head = ["reader", "µs of CPU a record", "/ floor", "instructions a record", "/ floor", "beside ours"]
    return aligned(
        head, [[job.name, *_cells(job, cpu, ",.2f"), *_cells(job, instructions, ",.0f"), job.differs] for job in jobs]
    )


def _cells(job: Job, costs: Costs, form: str) -> list[str]:
    if job not in costs:
        return ["", ""]
    floor = costs.get(FLOOR)
    return [format(spread(costs[job]), form), format(ratio(costs[job], floor), ".2f") if floor else ""]


def limits_of_instructions(found: Costs) -> list[Limit]:
    """Compare ours with the floors."""
    return [
        Limit(
            f"instructions a record, ours / {floor.name}",
            ratio(found[OURS], found[floor]),
            at_most=MOST_INSTRUCTIONS,
            decides=floor in DECIDING,
        )
        for floor in (SAME, FLOOR)
    ]


def limits_of_cpu(found: Costs) -> list[Limit]:
    """Compare the peers that were measured with ours."""
    return [
        Limit(
            f"CPU a record, {peer.name} / ours",
            ratio(found[peer], found[OURS]),
            at_least=least,
            decides=peer in DECIDING,
        )
        for plain, least in LEAST_CPU.items()
        for peer in (SAME_ROWS[plain], plain)
        if peer in found
    ]


def _limits(cpu: Costs, instructions: Costs, *, is_short: bool) -> list[Limit]:
    limits = []
    if {FLOOR, SAME, OURS} <= instructions.keys():
        limits += limits_of_instructions(instructions)
    if OURS in cpu:
        limits += [replace(limit, decides=limit.decides and not is_short) for limit in limits_of_cpu(cpu)]
    return limits


if __name__ == "__main__":
    sys.exit(main())
