"""Documents of 200 MB: what they take of memory and disk while they arrive, and what is left of them."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from linkless_simulator.bills import Sizes
from linkless_simulator.front import Front
from linkless_simulator.wire_faults import Setting
from source_linkless.provider.bodies import IN_MEMORY
from testing.connector import Connector, Run, ended, fleet_at
from testing.wired_worlds import WiredWorld

SIZE = 200 * 2**20
MEGABYTES = {"bulk": 8, "document": 48, "packed_document": 48}
"""Most anonymous memory of each: of announced length, in chunks, unpacked from gzip. Up to 32 MB wait for the disk."""


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Let a process fetch each of them, made while they are sent, with `tmp_path` for its temporary files."""
    with Front(setting=Setting(size=SIZE)) as front:
        for fault in MEGABYTES:
            front.arm(fault, "/sustainability/get")
        command = [sys.executable, "-m", "testing.large_answer", front.url, str(len(MEGABYTES))]
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


@pytest.mark.parametrize("megabytes", [1, 33])
def test_a_document_is_read_alike_from_memory_and_from_a_file(megabytes: int) -> None:
    """A body that is mapped from a file gives the rows of one in memory, once."""
    with Front() as front:
        world = WiredWorld(front, sizes=Sizes(accounts=2, statements=36))
        document = world.backend.document("instant")
        bills = [bill for account in document["accounts"] for bill in account["statements"]]
        for bill in bills:
            bill["scan"] = "0" * (megabytes * 2**20 // len(bills))
        world.backend.deliver("instant", document)
        first = world.read(world.config(username="instant"))
        second = world.read(first.config or {}, state=first.states)
    assert first.error is None
    assert {row["statement_id"] for row in first.rows("statements")} == {bill["statement_id"] for bill in bills}
    assert {row["other_fields"]["scan"] for row in first.rows("statements")} == {bills[0]["scan"]}
    assert len(first.rows("charges")) == sum(len(bill["charges"]) for bill in bills)
    documents = {row["account_number"]: row["statements"] for row in first.rows("sustainability")}
    assert documents == {account["account_number"]: account["statements"] for account in document["accounts"]}
    assert {row["status"] for row in second.rows("connections")} == {"ready"}
    assert [second.rows(name) for name in ("sustainability", "accounts", "statements", "charges")] == [[]] * 4


def without_files(process: subprocess.Popen[bytes]) -> Run:
    """Let a process write no file from now on: no folder is of use for a temporary one. Return how it ends."""
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, 0))
    return ended(process)


def test_without_a_folder_for_temporary_files_only_a_large_document_fails(tmp_path: Path) -> None:
    """Check and read work; the row of the login whose document needs such a folder says what to do."""
    with Front(setting=Setting(size=IN_MEMORY + 2**20)) as front:
        tokens = {name: front.backend.link(f"instant+{name}") for name in ("large", "small")}
        logins = [{"key": key, "access_token": token} for key, token in tokens.items()]
        config = fleet_at(front, *logins)
        connector = Connector(tmp_path)
        assert without_files(connector.start("check", config)).verdict[0] == "SUCCEEDED"
        front.arm("bulk", "/sustainability/get", times=7)  # four attempts of one login, three of the other
        run = without_files(connector.start_read(config))
    ends = {(row["status"], row.get("reason")) for row in run.rows("connections")}
    assert ends == {("ready", None), ("failed", "NO_TEMPORARY_SPACE")}
    (message,) = [row["message"] for row in run.rows("connections") if row["status"] == "failed"]
    assert "folder for temporary files" in message
    assert run.rows("statements")
    ours = run.stderr.partition("Exception ignored in atexit callback: <bound method Coverage")[0]
    assert (run.code, run.errors, ours) == (0, [], "")  # coverage cannot write its file either
