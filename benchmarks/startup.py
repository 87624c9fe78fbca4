"""What starting costs, before the first byte of data: CPU of each command beside that of an empty Python.

    python -m benchmarks.startup            nine rounds, about two minutes
    python -m benchmarks.startup --short    three; the limit decides nothing

All byte code is compiled before. In every round all take their turn.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.connector import MAIN, catalog
from benchmarks.costs import cpu_of
from benchmarks.deliverer import deliverer
from benchmarks.documents import Size, body
from benchmarks.figures import Limit, aligned, judge, parser, publish, ratio, spread
from benchmarks.jobs import ours_config

MOST = 2.5
MOST_CHECK = 1.05
_ROUNDS, _SHORT_ROUNDS = 9, 3
_SMALLEST = Size(accounts=1, statements=1, charges=1, payments=1)
PASS = (sys.executable, "-c", "pass")
SPEC = (sys.executable, MAIN, "spec")
_PASS, _SPEC, _CDK, _CHECK = "python -c pass", "spec", "import airbyte_cdk", "check, one connection"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a table; the exit code says whether the limits hold (always, with --short)."""
    asked = parser("startup", "three rounds; the limit decides nothing").parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, deliverer([body(0, _SMALLEST)]) as provider:
        found = measured(_commands(Path(folder), provider.url), _SHORT_ROUNDS if asked.short else _ROUNDS)
    print(costs := _table(found))
    limits, holds = judge(
        [
            Limit(f"CPU, {ours} / {base}", ratio(found[ours], found[base]), at_most=most, decides=not asked.short)
            for ours, base, most in ((_SPEC, _PASS, MOST), (_CHECK, _CDK, MOST_CHECK))
        ]
    )
    if asked.publish:
        publish("startup", costs, limits)
    return 0 if holds else 1


def _commands(folder: Path, url: str) -> Mapping[str, Sequence[str]]:
    config, bad, selected = folder / "config.json", folder / "bad.json", folder / "catalog.json"
    good = ours_config(url, 1)
    config.write_text(json.dumps(good), encoding="utf-8")
    bad.write_text(json.dumps({**good, "start_date": "soon"}), encoding="utf-8")
    selected.write_text(json.dumps(catalog()), encoding="utf-8")
    ours = (sys.executable, MAIN)
    return {
        _PASS: PASS,
        _CDK: (sys.executable, "-c", _CDK),
        _SPEC: SPEC,
        "discover": (*ours, "discover", "--config", str(config)),
        "check, the configuration is wrong": (*ours, "check", "--config", str(bad)),
        _CHECK: (*ours, "check", "--config", str(config)),
        "read, one bill": (*ours, "read", "--config", str(config), "--catalog", str(selected)),
    }


def measured(commands: Mapping[str, Sequence[str]], rounds: int) -> Mapping[str, Sequence[float]]:
    """Measure seconds of CPU of each command in every round, after one that does not count."""
    costs: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            seconds = cpu_of(command)
            if number:
                costs[name].append(seconds)
    return costs


def _table(costs: Mapping[str, Sequence[float]]) -> str:
    head = ["command", "ms of CPU", f"/ {_PASS}", f"/ {_CDK}"]
    return aligned(head, [[name, _milliseconds(costs[name]), *_over(costs, name)] for name in costs])


def _milliseconds(seconds: Sequence[float]) -> str:
    return format(spread([1000 * one for one in seconds]), ",.0f")


def _over(costs: Mapping[str, Sequence[float]], name: str) -> list[str]:
    return [format(ratio(costs[name], costs[other]).median, ",.2f") for other in (_PASS, _CDK)]


if __name__ == "__main__":
    sys.exit(main())
