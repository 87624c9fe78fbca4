"""How a process ends before its work is done: told to stop, left without a consumer, or by a fault of its own."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic

import pytest

from linkless_simulator import Simulator
from testing.connector import PROGRAM, Connector, Run, ended, login_at

TERMINATED, NOBODY_READS, NOT_WRITTEN = 128 + signal.SIGTERM, 128 + signal.SIGPIPE, os.EX_IOERR
FAULTY_CONSUMER = """
import asyncio
from source_linkless.concurrency.handover import events

async def main(emit):
    await emit("first")
    await asyncio.Event().wait()

def consume(run):
    for event in run:
        raise ValueError("a fault of the consumer")

consume(events(main))  # the traceback keeps the run until the interpreter has stopped every other thread
"""


def blocks_sigterm(status: str) -> bool:
    """Tell from the kernel's words about a process whether it takes SIGTERM in its own way by now."""
    (mask,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:")]
    return bool(int(mask, 16) >> (signal.SIGTERM - 1) & 1)


def terminated(process: subprocess.Popen[bytes], already_read: bytes) -> tuple[Run, float]:
    """Send SIGTERM; return the run and the seconds until the process had ended."""
    process.send_signal(signal.SIGTERM)
    sent = monotonic()
    run = ended(process, already_read=already_read)
    return run, monotonic() - sent


def test_a_sync_that_waits_ends_within_two_seconds_of_sigterm(simulator: Simulator, tmp_path: Path) -> None:
    """Exit code 143, every line whole, and what was written back before is there."""
    process = Connector(tmp_path).start_read(login_at(simulator, "never_ready"))
    assert process.stdout is not None
    taken = b""
    while b"PRODUCT_NOT_READY" not in taken:
        line = process.stdout.readline()
        assert line, "the process ended by itself"
        taken += line
    run, seconds = terminated(process, taken)
    assert run.code == TERMINATED
    assert seconds < 2
    assert {message["type"] for message in run.messages} >= {"LOG", "TRACE", "CONTROL"}
    assert "access_token" in run.written[-1]["links"]


def test_a_sync_that_has_just_said_its_first_line_ends_with_a_whole_one(simulator: Simulator, tmp_path: Path) -> None:
    """A signal amid the first messages tears none of them."""
    process = Connector(tmp_path).start_read(login_at(simulator, "never_connects"))
    assert process.stdout is not None
    run, seconds = terminated(process, process.stdout.readline())
    assert run.code == TERMINATED
    assert seconds < 2
    assert {message["type"] for message in run.messages} <= {"LOG", "TRACE", "CONTROL"}


def test_sigterm_finds_its_handler_before_the_connector_is_loaded(simulator: Simulator, tmp_path: Path) -> None:
    """Two seconds of imports are no time in which the process can only be killed."""
    process = Connector(tmp_path).start_read(login_at(simulator, "never_connects"))
    status = Path(f"/proc/{process.pid}/status")
    while not blocks_sigterm(status.read_text(encoding="ascii")):
        assert process.poll() is None, "the process ended by itself"
    run, seconds = terminated(process, b"")
    assert (run.code, run.stdout) == (TERMINATED, "")
    assert seconds < 2


def test_a_form_that_nobody_reads_is_no_fault() -> None:
    """`source-linkless spec | true` ends as a shell expects it of a broken pipe, without a traceback."""
    nowhere, output = os.pipe()
    os.close(nowhere)
    with os.fdopen(output, "wb") as unread_output:
        run = subprocess.run([str(PROGRAM), "spec"], stdout=unread_output, stderr=subprocess.PIPE, check=False)
    assert (run.returncode, run.stderr) == (NOBODY_READS, b"")


@pytest.mark.parametrize("story", ["never_ready", "large"])
def test_a_sync_whose_consumer_goes_away_ends_at_once(simulator: Simulator, tmp_path: Path, story: str) -> None:
    """While it waits and while it writes: exit code 141, as of any program in a broken pipe, and nothing besides."""
    process = Connector(tmp_path).start_read(login_at(simulator, f"{story}+gone"))
    assert process.stdout is not None
    while b"access_token" not in (line := process.stdout.readline()):
        assert line, "the process ended by itself"
    process.stdout.close()
    gone = monotonic()
    assert (process.wait(60), monotonic() - gone < 2) == (NOBODY_READS, True)
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()


@pytest.mark.parametrize("command", ["read", "check"])
def test_an_output_that_cannot_be_written_submits_nothing(simulator: Simulator, tmp_path: Path, command: str) -> None:
    """On a full disk nobody can keep the links: exit code 74 and one sentence, before any login is submitted."""
    with Path("/dev/full").open("wb") as full:
        process = Connector(tmp_path).start_into(full, command, login_at(simulator, f"user_good+{command}"))
        _, said = process.communicate(timeout=60)
    assert process.returncode == NOT_WRITTEN
    assert said.decode() == f"Standard output cannot be written: {os.strerror(errno.ENOSPC)}. The run has ended here.\n"
    assert simulator.backend.submissions(f"user_good+{command}") == 0


def test_a_fault_while_logins_wait_ends_the_process() -> None:
    """A run that is left behind by an exception holds up nothing: the process ends with its error."""
    faulty = subprocess.run(
        [sys.executable, "-c", FAULTY_CONSUMER], capture_output=True, text=True, timeout=60, check=False
    )
    assert faulty.returncode == 1
    assert "a fault of the consumer" in faulty.stderr
