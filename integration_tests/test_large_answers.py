"""Documents of 200 MB: what they take of memory and disk while they arrive, and what is left of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from linkless_simulator.front import Front
from linkless_simulator.wire_faults import Setting

SIZE = 200 * 2**20
MEGABYTES = {"bulk": 8, "document": 48, "bomb": 48}
"""Most anonymous memory of each: of announced length, in chunks, unpacked from gzip. Up to 32 MB wait for the disk."""


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Let a process fetch each of them, made while they are sent, with `tmp_path` for its temporary files."""
    with Front(setting=Setting(size=SIZE)) as front:
        for fault in MEGABYTES:
            front.arm(fault, "/sustainability/get")
        command = [sys.executable, "-m", "integration_tests.large_answer", front.url, str(len(MEGABYTES))]
        pipe, environment = subprocess.PIPE, {**os.environ, "TMPDIR": str(tmp_path)}
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as running:
            yield running
            running.kill()


def test_large_answers_take_little_memory_and_leave_nothing(process: subprocess.Popen[str], tmp_path: Path) -> None:
    """They lie in files without a name: no folder shows them, and SIGKILL in the middle leaves none behind."""
    assert process.stdout is not None
    for most in MEGABYTES.values():
        size, kilobytes, _every_page = process.stdout.readline().split()
        assert int(size) > 0.95 * SIZE
        assert int(kilobytes) < most * 1024
        assert list(tmp_path.iterdir()) == []
    maps = Path(f"/proc/{process.pid}/maps").read_text(encoding="utf-8").splitlines()
    assert len([line for line in maps if str(tmp_path) in line and line.endswith("(deleted)")]) == 1
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == []
