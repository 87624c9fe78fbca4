"""How long a fleet waits, in shares of what is possible: the slowest login's first product call and its readiness.

    python -m benchmarks.waiting            three runs, about five minutes
    python -m benchmarks.waiting --short    small ones, for a machine whose speed is unknown: asserts nothing about time

Two runs by the real clock, the connector and the simulator each a process of its own, and one of ten thousand logins
in virtual time under a rate limit, against an oracle that knows every readiness and keeps to the same rate.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import random
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.connector import read
from benchmarks.figures import parser, publish, show
from benchmarks.provider import Fleet, Observed, observed, prepare, provider
from testing.worlds import World, catalog_of

BOUND = 1.05
MOST_LOOKS = 20
_SIGMA = 1.0
_SEED = 20_261_122
_STREAMS = ("accounts", "connections")
_LATENCY = 0.3
_REQUESTS_TO_ASK_A_NEW_LOGIN = 6  # link token, connect, exchange, status twice, product


@dataclass(frozen=True, slots=True)
class Case:
    """One fleet, its scale in seconds, and the requests per second that it may make."""

    name: str
    logins: int
    linked: bool
    slowest: float
    poll_interval: float
    rate: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run took. Seconds count from the first request."""

    case: str
    logins: int
    slowest_s: float
    median_s: float
    possible_s: float
    read_s: float
    ratio: float
    """Last document read, in shares of what was possible."""
    all_asked_s: float
    requests_by_rate_s: float
    """The requests needed until all were asked once, at the allowed rate."""
    looks_per_login: float
    requests: int
    delivered: int
    most_submitted: int
    write_backs: int | None = None
    threads: int | None = None
    peak_mb: float | None = None
    whole_process_s: float | None = None


REAL = (
    Case("with tokens, real clock", 1_000, linked=True, slowest=40.0, poll_interval=0.2, rate=1_000.0),
    Case("to be linked, real clock", 1_000, linked=False, slowest=40.0, poll_interval=0.2, rate=1_000.0),
)
VIRTUAL = Case("with tokens, virtual clock", 10_000, linked=True, slowest=1_200.0, poll_interval=5.0, rate=20.0)
SHORT_REAL = tuple(dataclasses.replace(case, logins=100, slowest=5.0) for case in REAL)
SHORT_VIRTUAL = dataclasses.replace(VIRTUAL, logins=1_000)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases, print a table and JSON; the exit code says whether the bounds hold (always, with --short)."""
    asked = parser("waiting", "small fleets; only completeness decides").parse_args(arguments)
    real, virtual = (SHORT_REAL, SHORT_VIRTUAL) if asked.short else (REAL, VIRTUAL)
    figures = [*map(by_the_real_clock, real), in_virtual_time(virtual)]
    shown = show(figures)
    if asked.publish:
        publish("waiting", shown)
    return 0 if all(_holds(one, is_short=asked.short) for one in figures) else 1


def readiness(case: Case) -> list[float]:
    """Draw the seconds from the first product call to the document: log-normal, the longest one as the case says."""
    chance = random.Random(_SEED)
    drawn = [chance.lognormvariate(0.0, _SIGMA) for _ in range(case.logins)]
    return [one * case.slowest / max(drawn) for one in drawn]


def by_the_real_clock(case: Case) -> Figures:
    """Run the connector as a process against the simulator as a process."""
    fleet = Fleet(readiness(case), linked=case.linked)
    with provider(fleet) as simulator:
        connection = {"method": "fleet", "connections": json.dumps(simulator.entries)}
        run = read(simulator.configuration(connection=connection, **_options(case)), _STREAMS)
        found = simulator.observed()
    if run.exit_code:
        sys.exit(f"{case.name}: the connector ended with {run.exit_code}")
    return dataclasses.replace(
        _figures(case, fleet, found, run.last_document - found.began),
        write_backs=run.controls,
        threads=run.threads,
        peak_mb=run.peak_megabytes,
        whole_process_s=round(run.seconds, 2),
    )


def in_virtual_time(case: Case) -> Figures:
    """Run the connector in this process in a world whose clock jumps; every request takes 0.3 s there."""
    world, fleet = World(latency=_LATENCY), Fleet(readiness(case), linked=case.linked)
    config = world.fleet(prepare(world.backend, fleet), **_options(case))
    logging.disable()  # in this process the connector's log would stand between our figures
    sync = world.read(config, catalog=catalog_of(_STREAMS))
    if sync.error is not None:
        sys.exit(f"{case.name}: {sync.error.failure_type}")
    found = observed(world.backend.journal, fleet)
    return _figures(case, fleet, dataclasses.replace(found, possible=_oracle(case, fleet)), found.last_delivered)


def _oracle(case: Case, fleet: Fleet) -> float:
    """Return when a client would end that asks for each document the moment it is ready, within the same rate.

    It makes three requests for each login, in the order of the list: the status, the first poll of the product, which
    starts the simulator's clock, and the read.
    """
    ready = [2 * _LATENCY + (2 * number + 1) / case.rate + wait for number, wait in enumerate(fleet.readiness)]
    return max(*ready, 3 * case.logins / case.rate)


def _options(case: Case) -> dict[str, float]:
    return {
        "poll_interval_seconds": case.poll_interval,
        "max_requests_per_second": case.rate,
        "data_timeout_minutes": 120,
    }


def _figures(case: Case, fleet: Fleet, found: Observed, read_at: float) -> Figures:
    needed = case.logins * (1 if case.linked else _REQUESTS_TO_ASK_A_NEW_LOGIN)
    return Figures(
        case=case.name,
        logins=case.logins,
        slowest_s=case.slowest,
        median_s=round(statistics.median(fleet.readiness), 2),
        possible_s=round(found.possible, 2),
        read_s=round(read_at, 2),
        ratio=round(read_at / found.possible, 4),
        all_asked_s=round(found.all_asked, 2),
        requests_by_rate_s=round(needed / case.rate, 2),
        looks_per_login=round(found.looks / case.logins, 1),
        requests=found.requests,
        delivered=found.delivered,
        most_submitted=found.most_submitted,
    )


def _holds(figures: Figures, *, is_short: bool) -> bool:
    is_whole = figures.delivered == figures.logins and figures.most_submitted <= 1
    in_time = figures.ratio <= BOUND and figures.looks_per_login <= MOST_LOOKS
    return is_whole and (is_short or in_time)


if __name__ == "__main__":
    sys.exit(main())
