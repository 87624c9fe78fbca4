"""What a whole process costs: its CPU as the kernel counts it, its instructions as valgrind does.

Its output goes to /dev/null for all alike. A figure of CPU moves by 5 to 50 % with what else the machine does;
instructions repeat to a thousandth.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parent.parent
Started = Callable[[int], object]
Output = int | IO[bytes]
Switch = Callable[[], object]
"""Turns counting on."""
_ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
    "PYTHONHASHSEED": "0",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "SINGER_SDK_TELEMETRY": "false",
}
_CALLGRIND = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")
_INSTRUCTIONS = re.compile(r"Collected : ([0-9]+)")
_LAST_WORDS = 3_000
_SWITCH_SECONDS = 60
NO_SWITCH = """\
valgrind could not be told to begin counting. It must be allowed to trace its processes (ptrace); in a container that
may need --cap-add SYS_PTRACE."""
NO_VALGRIND = """\
Instructions are counted by valgrind, which is not on the PATH.
On Debian and Ubuntu: apt-get install valgrind (root: `python -m benchmarks.gate` does that itself)."""


def cpu_of(command: Sequence[str], *, output: Output = subprocess.DEVNULL, started: Started | None = None) -> float:
    """Run a command to its end; return its seconds of CPU, user and system.

    `started` is given the process id. When the command fails, the benchmark ends with its last words.
    """
    seconds, _ = _run(command, output, started)
    return seconds


def instructions_of(command: Sequence[str]) -> int:
    """Count the instructions of a whole run."""
    return _counted([*_CALLGRIND, *command], None)


def instructions_from_first_document(command: Sequence[str], on_first: Callable[[Switch], object]) -> int:
    """Count the instructions from the first document on: counting those of start-up would take most of the time.

    `on_first` is given what is to be called before the first document is answered.
    """
    failures: list[str] = []

    def switch_on(process: int) -> None:
        switch = ["vgdb", f"--pid={process}", "instrumentation", "on"]
        told = subprocess.run(switch, check=False, capture_output=True, text=True, timeout=_SWITCH_SECONDS)
        failures.extend([told.stderr] if told.returncode else [])

    counted = _counted(
        [*_CALLGRIND, "--instr-atstart=no", *command], lambda process: on_first(partial(switch_on, process))
    )
    if failures or not counted:
        sys.exit(f"{NO_SWITCH}\n{''.join(failures)[-_LAST_WORDS:]}")
    return counted


def _counted(command: Sequence[str], started: Started | None) -> int:
    if shutil.which("valgrind") is None:
        sys.exit(NO_VALGRIND)
    _, said = _run(command, subprocess.DEVNULL, started)
    found = _INSTRUCTIONS.search(said)
    if found is None:
        sys.exit(f"valgrind did not say how many instructions it counted:\n{said[-_LAST_WORDS:]}")
    return int(found[1])


def _run(command: Sequence[str], output: Output, started: Started | None) -> tuple[float, str]:
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, cwd=ROOT, env=_ENVIRONMENT
        )
        if started is not None:
            started(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        said = errors.read().decode(errors="replace")
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{said[-_LAST_WORDS:]}")
    return usage.ru_utime + usage.ru_stime, said
