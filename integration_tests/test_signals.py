"""How a process ends before its work is done: told to stop, left without a consumer, or by a fault of its own."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
import termios
from collections import Counter
from pathlib import Path
from threading import Event
from time import monotonic

import pytest

from linkless_simulator import Simulator
from testing.connector import PROGRAM, STOP_SECONDS, Connector, Run, catalog_json, ended, fleet_at, login_at

NOBODY_READS, NOT_WRITTEN = 128 + signal.SIGPIPE, os.EX_IOERR
SIGNALS = [signal.SIGTERM, signal.SIGINT]
IN_THE_PIPE = {"charges": 20_000, "sustainability": 1}
"""By stream, the bytes in a pipe that nobody reads from which on its writer waits or is about to."""
PAUSE_SECONDS = 4.0
FAULTY_CONSUMER = """
import asyncio
from source_linkless.concurrency.handover import events_of

async def main(emit):
    await emit("first")
    await asyncio.Event().wait()

def consume(run):
    for event in run:
        raise ValueError("a fault of the consumer")

consume(events_of(main))  # the traceback keeps the run until the interpreter has stopped every other thread
"""


def blocks(number: signal.Signals, status: str) -> bool:
    """Tell from the kernel's words about a process whether it takes a signal in its own way by now."""
    (mask,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:")]
    return bool(int(mask, 16) >> (number - 1) & 1)


def stopped(process: subprocess.Popen[bytes], number: signal.Signals, already_read: bytes) -> tuple[Run, float]:
    """Send a signal; return the run and the seconds until the process had ended."""
    process.send_signal(number)
    sent = monotonic()
    run = ended(process, already_read=already_read)
    return run, monotonic() - sent


def catalog_file(folder: Path, streams: list[str]) -> str:
    """Write a configured catalog of some streams; return its path."""
    path = folder / "catalog.json"
    path.write_text(json.dumps(catalog_json(streams)), encoding="utf-8")
    return str(path)


def wait_until_it_holds(process: subprocess.Popen[bytes], size: int) -> None:
    """Return when so many bytes are in the pipe that a process writes into."""
    assert process.stdout is not None
    while struct.unpack("i", fcntl.ioctl(process.stdout, termios.FIONREAD, bytes(4)))[0] < size:
        assert process.poll() is None, "the process ended by itself"
        os.sched_yield()


@pytest.mark.parametrize("number", SIGNALS)
def test_a_sync_that_waits_ends_by_itself_after_a_signal(
    simulator: Simulator, tmp_path: Path, number: signal.Signals
) -> None:
    """Exit code 143 or 130, every line whole, no traceback, and what was written back before is there."""
    process = Connector(tmp_path).start_read(login_at(simulator, f"never_ready+{number}"))
    assert process.stdout is not None
    taken = b""
    while b"PRODUCT_NOT_READY" not in taken:
        line = process.stdout.readline()
        assert line, "the process ended by itself"
        taken += line
    run, seconds = stopped(process, number, taken)
    assert (run.code, run.stderr) == (128 + number, "")
    assert seconds < STOP_SECONDS
    assert {message["type"] for message in run.messages} >= {"LOG", "TRACE", "CONTROL"}
    assert "access_token" in run.written[-1]["links"]


def test_a_sync_that_has_just_said_its_first_line_ends_with_a_whole_one(simulator: Simulator, tmp_path: Path) -> None:
    """A signal during the first messages cuts none of them."""
    process = Connector(tmp_path).start_read(login_at(simulator, "never_connects"))
    assert process.stdout is not None
    run, seconds = stopped(process, signal.SIGTERM, process.stdout.readline())
    assert run.code == 128 + signal.SIGTERM
    assert seconds < STOP_SECONDS
    assert {message["type"] for message in run.messages} <= {"LOG", "TRACE", "CONTROL"}


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_finds_its_handler_before_the_connector_is_loaded(
    simulator: Simulator, tmp_path: Path, number: signal.Signals
) -> None:
    """Two seconds of imports are no time in which the process can only be killed."""
    process = Connector(tmp_path).start_read(login_at(simulator, "never_connects"))
    status = Path(f"/proc/{process.pid}/status")
    while not blocks(number, status.read_text(encoding="ascii")):
        assert process.poll() is None, "the process ended by itself"
    run, seconds = stopped(process, number, b"")
    assert (run.code, run.stdout, run.stderr) == (128 + number, "", "")
    assert seconds < STOP_SECONDS


@pytest.mark.parametrize("stream", IN_THE_PIPE)
@pytest.mark.parametrize("number", SIGNALS)
def test_a_sync_whose_reader_has_paused_ends_with_a_whole_line(
    simulator: Simulator, tmp_path: Path, stream: str, number: signal.Signals
) -> None:
    """The pipe fills and nobody reads: the process ends all the same, and short or long, the lines in it are whole."""
    config = login_at(simulator, f"large+{number}{stream}")
    process = Connector(tmp_path).start("read", config, "--catalog", catalog_file(tmp_path, [stream]))
    assert process.stdout is not None
    taken = b""
    while b"RUNNING" not in taken:
        line = process.stdout.readline()
        assert line, "the process ended by itself"
        taken += line
    wait_until_it_holds(process, IN_THE_PIPE[stream])
    process.send_signal(number)
    assert process.wait(60) == 128 + number
    taken += process.stdout.read()
    assert len(Run(process.returncode, taken.decode(), "").rows(stream)) > 0
    assert ended(process).stderr == ""


def test_a_reader_that_pauses_for_longer_than_the_longest_wait_costs_no_login(
    simulator: Simulator, tmp_path: Path
) -> None:
    """Time in which nobody takes the output is no time of waiting for the provider: every login is delivered."""
    tokens = [simulator.backend.link(f"instant+paused{number}") for number in range(20)]
    logins = [{"key": str(number), "access_token": token} for number, token in enumerate(tokens)]
    config = fleet_at(simulator, *logins, data_timeout_minutes=PAUSE_SECONDS / 2 / 60, max_requests_per_second=40)
    process = Connector(tmp_path).start_read(config)
    assert process.stdout is not None
    while b'"type":"RECORD"' not in (line := process.stdout.readline()):
        assert line, "the process ended by itself"
    wait_until_it_holds(process, IN_THE_PIPE["charges"])
    Event().wait(PAUSE_SECONDS)
    run = ended(process, already_read=line + process.stdout.read())
    assert Counter((row["status"], row.get("reason")) for row in run.rows("connections")) == {("ready", None): 20}
    assert (run.code, run.errors, run.stderr) == (0, [], "")


def test_an_output_that_is_closed_from_the_start_submits_nothing(simulator: Simulator, tmp_path: Path) -> None:
    """`source-linkless check … >&-` ends with one sentence; no file and no socket gets the number of the output."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps(login_at(simulator, "user_good+closed")), encoding="utf-8")
    for arguments in (["spec"], ["check", "--config", str(config)]):
        command = subprocess.list2cmdline([str(PROGRAM), *arguments])
        run = subprocess.run(["/bin/sh", "-c", f"{command} >&-"], capture_output=True, text=True, check=False)
        sentence = f"Standard output cannot be written: {os.strerror(errno.EBADF)}. The run has ended here.\n"
        assert (run.returncode, run.stdout, run.stderr) == (NOT_WRITTEN, "", sentence)
    assert simulator.backend.submissions("user_good+closed") == 0


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
    assert (process.wait(60), monotonic() - gone < STOP_SECONDS) == (NOBODY_READS, True)
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
