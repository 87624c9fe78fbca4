"""Documents of 200 MB: what they take of memory and disk while they arrive, and what is left of them."""

from __future__ import annotations

import gzip
import os
import resource
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from linkless_simulator import Simulator
from linkless_simulator.answers import JSON, Answer
from linkless_simulator.bills import Sizes
from linkless_simulator.faults import Planned
from linkless_simulator.front import Front
from linkless_simulator.wire_faults import Setting
from source_linkless.provider.transport import FREELY_UNPACKED, IN_MEMORY
from testing.connector import PROGRAM, Connector, Run, ended, fleet_at
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


BILLS, TEXT, EMPTY = (
    b'{"accounts":[{"account_number":"1","statements":[%b]}]}',
    b'{"accounts":[],"x":"%b"}',
    b'{"x":[%b]}',
)
FREE = FREELY_UNPACKED - 2**20
"""Bytes that are let in however small they were packed."""


@dataclass(frozen=True, slots=True)
class Bomb:
    """A small answer that becomes large: `unit` so many times in a frame; what is said of it."""

    frame: bytes
    unit: bytes
    size: int
    said: str

    def packed(self) -> bytes:
        """Return it as gzip, in members, each for a mebibyte of the same."""
        before, after = self.frame.split(b"%b")
        member = gzip.compress(self.unit * (2**20 // len(self.unit)))
        return gzip.compress(before) + member * (self.size // 2**20) + gzip.compress(self.unit.rstrip(b",") + after)


REFUSED = {
    "30 KB of bills": Bomb(BILLS, b"{},", 31 * 2**20, "ANSWER_TOO_LARGE"),
    "1 MB of text": Bomb(b'{"accounts":[],"x":"%b"}', b"x", 2**30, "ANSWER_TOO_LARGE"),
    "100 KB of arrays": Bomb(b'{"x":[%b]}', b"[],", 100 * 2**20, "ANSWER_TOO_LARGE"),
    "empty bills": Bomb(BILLS, b"{},", FREE, "UNREADABLE_DOCUMENT"),
    "bills of other things": Bomb(BILLS, b"[],", FREE, "UNREADABLE_DOCUMENT"),
    "empty accounts": Bomb(b'{"accounts":[%b]}', b"{},", FREE, "UNREADABLE_DOCUMENT"),
    "a bill of arrays": Bomb(BILLS.replace(b"%b", b'{"x":[%b]}'), b"[],", FREE, "UNREADABLE_DOCUMENT"),
    "a deep bill": Bomb(BILLS.replace(b"%b", b'{"x":%b}'), b"[", FREE, "UNREADABLE_DOCUMENT"),
}
"""Bombs whose login fails."""


MEASURED = """
import pathlib, resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
pathlib.Path(sys.argv[1]).write_text(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024))
sys.exit(code)
"""
"""Runs a program and writes its peak of memory, in bytes. A process that pytest starts counts that of pytest, too."""


@pytest.mark.parametrize("names", [[*REFUSED][:3], [*REFUSED][3:]], ids=["packed small", "small pieces"])
def test_small_answers_that_become_large_cost_their_login_alone(
    simulator: Simulator, tmp_path: Path, names: list[str]
) -> None:
    """Each fails in one sentence, the others are delivered, and the memory stays below three times all their text."""
    tokens = {name: simulator.backend.link(f"instant+{name}") for name in (*names, "honest")}
    for name in names:
        body, headers = REFUSED[name].packed(), {"content-type": JSON, "content-encoding": "gzip"}
        simulator.backend.plan(Planned("/sustainability/get", Answer(200, headers, body), username=f"instant+{name}"))
    config = fleet_at(simulator, *({"key": name, "access_token": token} for name, token in tokens.items()))
    with (tmp_path / "output").open("wb") as output:
        through = [sys.executable, "-c", MEASURED, str(tmp_path / "peak")]
        process = Connector(tmp_path).start_into(output, "read", config, through)
        stderr = process.communicate()[1].decode()
    run = Run(process.returncode, (tmp_path / "output").read_text("utf-8"), stderr)
    peak = int((tmp_path / "peak").read_text("utf-8"))
    ends = {row["connection_key"]: row.get("reason") for row in run.rows("connections")}
    assert ends == {"honest": None} | {name: REFUSED[name].said for name in names}
    assert {row["connection_key"] for row in run.rows("statements")} == {"honest"}
    assert (run.code, run.errors, run.stderr) == (0, [], "")
    text = sum(min(REFUSED[name].size, FREELY_UNPACKED) for name in names)
    assert peak <= 3 * text + 200 * 10**6


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
    """Check and read work; the rows of the logins whose documents need such a folder say what to do.

    Of a large document it does not matter whether its length is announced, it comes in chunks, or it is packed.
    """
    large = ("bulk", "document", "packed_document")
    with Front(setting=Setting(size=IN_MEMORY + 2**20)) as front:
        logins = [{"key": name, "access_token": front.backend.link(f"instant+{name}")} for name in (*large, "small")]
        config = fleet_at(front, *logins, max_requests_per_second=20)
        connector = Connector(tmp_path)
        assert without_files(connector.start("check", config)).verdict[0] == "SUCCEEDED"
        for fault in large:
            front.arm(fault, "/sustainability/get", times=5)  # four of each of three logins, three of the other
        run = without_files(connector.start_read(config))
    ends = Counter((row["status"], row.get("reason")) for row in run.rows("connections"))
    assert ends == {("ready", None): 1, ("failed", "NO_TEMPORARY_SPACE"): 3}
    (message,) = {row["message"] for row in run.rows("connections") if row["status"] == "failed"}
    assert "folder for temporary files" in message
    assert run.rows("statements")
    ours = run.stderr.partition("Exception ignored in atexit callback: <bound method Coverage")[0]
    assert (run.code, run.errors, ours) == (0, [], "")  # coverage cannot write its file either


@pytest.mark.parametrize("arguments", ["spec", "spec --debug", "discover --config config", "discover --config=config"])
def test_the_form_and_the_catalog_need_no_folder_for_temporary_files(tmp_path: Path, arguments: str) -> None:
    """They are answered at once, or through the CDK, which would make a folder."""
    (tmp_path / "config").write_text("{}", encoding="utf-8")
    command = ["/bin/sh", "-c", 'ulimit -f 0; exec "$@"', "sh", str(PROGRAM), *arguments.split()]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    run = ended(process)
    assert (run.code, run.errors) == (0, [])
    assert run.messages[-1]["type"] in ("SPEC", "CATALOG")
