"""How a process ends before its work is done: told to stop, left unread, or by a fault of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic

from integration_tests.connector import LONGEST_SECONDS, PROGRAM, Connector, Run, ended, login_at
from linkless_simulator import Simulator

TERMINATED = 128 + signal.SIGTERM
UNREAD = 128 + signal.SIGPIPE
FAULTY_CONSUMER = """
import asyncio
from source_linkless.handover import events

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


def unread(process: subprocess.Popen[bytes]) -> tuple[int, bytes]:
    """Stop reading the output of a process; return its exit code and what it said of it."""
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process.stderr as errors:
        return process.wait(LONGEST_SECONDS), errors.read()


def test_a_form_that_nobody_reads_is_no_fault() -> None:
    """`source-linkless spec | true` ends as a shell expects it of a broken pipe, without a traceback."""
    nowhere, output = os.pipe()
    os.close(nowhere)
    with os.fdopen(output, "wb") as unread_output:
        run = subprocess.run([str(PROGRAM), "spec"], stdout=unread_output, stderr=subprocess.PIPE, check=False)
    assert (run.returncode, run.stderr) == (UNREAD, b"")


def test_a_sync_that_nobody_reads_any_more_ends(simulator: Simulator, tmp_path: Path) -> None:
    """`source-linkless read ... | head -1` ends at its next line, without a traceback."""
    process = Connector(tmp_path).start_read(login_at(simulator, "user_good"))
    assert process.stdout is not None
    assert process.stdout.readline()
    assert unread(process) == (UNREAD, b"")


def test_a_fault_while_logins_wait_ends_the_process() -> None:
    """A run that is left behind by an exception holds up nothing: the process ends with its error."""
    faulty = subprocess.run(
        [sys.executable, "-c", FAULTY_CONSUMER], capture_output=True, text=True, timeout=60, check=False
    )
    assert faulty.returncode == 1
    assert "a fault of the consumer" in faulty.stderr
