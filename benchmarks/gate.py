"""The limits that CI can hold on any machine: instructions, which repeat, where seconds do not.

    python -m benchmarks.gate               about a minute; needs valgrind, which root gets from apt-get

Ours and the floor read the same documents, and must find the same rows; `spec` stands beside an empty Python.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import throughput
from benchmarks.costs import NO_VALGRIND, cpu_of, instructions_of
from benchmarks.deliverer import deliverer
from benchmarks.documents import body
from benchmarks.figures import Limit, judge, ratio
from benchmarks.jobs import FLOOR, OURS, SAME
from benchmarks.startup import MOST, PASS, SPEC

_DOCUMENTS = 3


def main() -> int:
    """Count, print each limit with what was found; the exit code says whether they hold."""
    _need_valgrind()
    _, holds = judge([*_of_a_record(), _of_spec()])
    return 0 if holds else 1


def _need_valgrind() -> None:
    if shutil.which("valgrind"):
        return
    if os.geteuid() or not shutil.which("apt-get"):
        sys.exit(NO_VALGRIND)
    for step in (["update"], ["install", "--yes", "--no-install-recommends", "valgrind"]):
        subprocess.run(["apt-get", "--quiet=2", *step], check=True)  # noqa: S607 - wherever it is


def _of_a_record() -> list[Limit]:
    documents = [body(number, throughput.SIZE) for number in range(_DOCUMENTS)]
    with tempfile.TemporaryDirectory() as folder, deliverer(documents) as provider:
        bench = throughput.Bench(provider, Path(folder))
        bench.prepare([FLOOR, SAME, OURS])
        found = bench.instructions([FLOOR, SAME, OURS])
    return throughput.limits_of_instructions(found)


def _of_spec() -> Limit:
    cpu_of(SPEC)  # writes the byte code
    found = ratio([instructions_of(SPEC)], [instructions_of(PASS)])
    return Limit("instructions, spec / python -c pass", found, at_most=MOST)


if __name__ == "__main__":
    sys.exit(main())
