"""`linkless catalog` and `linkless run` as processes: what is kept, and what a kill, a full disk or an edit leaves."""

from __future__ import annotations

import json
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from linkless_simulator import Simulator
from linkless_simulator.situations import EXTRACTING, READY
from linkless_simulator.stages import Seconds, Stage
from linkless_simulator.story import Story
from source_linkless.cli.into_folders import record_in
from testing.connector import Connector, login_at
from testing.forked_command import run_without_terminal
from testing.worlds import ALL_STREAMS

PROGRAM = Path(sys.executable).with_name("linkless")
LONGEST_SECONDS = 300


def written(folder: Path, config: dict[str, Any]) -> Path:
    """Write a configuration as a person would have it: indented, readable by everybody."""
    path = folder / "config.json"
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return path


def records(folder: Path) -> list[list[dict[str, Any]]]:
    """Return the records of each run, in order."""
    files = sorted((folder / "records").glob("*.jsonl"), key=lambda path: path.stat().st_mtime_ns)
    return [[json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]] for path in files]


@contextmanager
def running(path: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start `linkless run` as a process that is ended in any case."""
    command = [str(PROGRAM), "run", str(path), *arguments]
    # Coverage of the process writes a file of its own, which a test may forbid.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_line(process: subprocess.Popen[str], text: str) -> None:
    """Read the progress of a run up to a line that holds `text`."""
    assert process.stderr is not None
    while text not in (line := process.stderr.readline()):
        assert line, "the run ended before"


def test_two_runs_submit_once_and_the_second_sends_what_is_new(simulator: Simulator, tmp_path: Path) -> None:
    """Links go back into CONFIG, which stays as it was otherwise; every file is for its owner only."""
    config = login_at(simulator, "user_good+run")
    path = written(tmp_path, config)
    ends = [run_without_terminal(["run", "config.json"], tmp_path, "") for _ in range(2)]
    assert [code for code, _, _ in ends] == [0, 0]
    assert "connections  1" in ends[1][1]
    assert simulator.backend.count("/link/connect", "user_good+run") == 1
    folder = tmp_path / "config.sync"
    first, second = records(folder)
    assert ({record["stream"] for record in first}, [record["stream"] for record in second]) == (
        set(ALL_STREAMS),
        ["connections"],
    )
    now = json.loads(path.read_text(encoding="utf-8"))
    assert {**now, "links": ""} == {**config, "links": ""}
    assert path.read_text(encoding="utf-8").startswith('{\n  "environment"')
    modes = {stat.S_IMODE(file.stat().st_mode) for file in folder.rglob("*") if file.is_file()}
    assert (modes, stat.S_IMODE(folder.stat().st_mode)) == ({0o600}, 0o700)


def test_a_run_that_is_killed_leaves_the_files_of_the_run_before(simulator: Simulator, tmp_path: Path) -> None:
    """Nothing is half written, the token is kept, and the next run sends everything that no state covers."""
    simulator.backend.tell("slow+killed", Story("5 s without data", (Stage(EXTRACTING, Seconds(5)), Stage(READY))))
    path = written(tmp_path, login_at(simulator, "slow+killed", poll_interval_seconds=1))
    with running(path) as process:
        wait_for_line(process, "PRODUCT_NOT_READY")
        process.kill()
    folder = tmp_path / "config.sync"
    assert sorted(one.name for one in folder.iterdir()) == ["catalog.json", "lock", "records"]
    assert [one.suffix for one in (folder / "records").iterdir()] == [".part"]
    simulator.backend.tell("slow+killed", "instant")
    assert run_without_terminal(["run", "config.json"], tmp_path, "")[0] == 0
    assert simulator.backend.count("/link/connect", "slow+killed") == 1
    assert [len(sent) > 10 for sent in records(folder)] == [True]
    assert [one.suffix for one in (folder / "records").iterdir()] == [".jsonl"]


def test_two_runs_do_not_share_a_folder(simulator: Simulator, tmp_path: Path) -> None:
    """The second ends at once: it would submit the login a second time. Ctrl-C ends the first and keeps the link."""
    path = written(tmp_path, login_at(simulator, "never_connects+run"))
    with running(path) as process:
        wait_for_line(process, "Connecting")
        code, _, told = run_without_terminal(["run", "config.json"], tmp_path, "")
        assert (code, "Another sync is using config.sync." in told) == (1, True)
        process.send_signal(signal.SIGINT)
        assert process.wait(LONGEST_SECONDS) == 130
    assert simulator.backend.count("/link/connect", "never_connects+run") == 1
    assert "access_token" in json.loads(path.read_text(encoding="utf-8"))["links"]


def test_an_edit_during_a_run_stays(simulator: Simulator, tmp_path: Path) -> None:
    """Only the links are written back, into the file as it is then; a file that is broken then is restored."""
    path = written(tmp_path, login_at(simulator, "user_good+edit", poll_interval_seconds=1))
    with running(path) as process:
        wait_for_line(process, "Connecting")
        path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "start_date": "2024-01-01"}), "utf-8")
        assert process.wait(LONGEST_SECONDS) == 0
    assert json.loads(path.read_text("utf-8"))["start_date"] == "2024-01-01"


def test_the_exit_code_is_that_of_the_connector_and_the_records_are_kept(simulator: Simulator, tmp_path: Path) -> None:
    """A wrong password fails the sync: its row and its reason are there, and a second run submits nothing."""
    written(tmp_path, login_at(simulator, "wrong_password+run"))
    for _ in range(2):
        code, _, told = run_without_terminal(["run", "config.json", "--to", "bills"], tmp_path, "")
        assert code == 1
        assert "ERROR The login could not be read completely." in told
    assert simulator.backend.count("/link/connect", "wrong_password+run") == 1
    sent = records(tmp_path / "bills")
    assert [[record["data"]["status"] for record in run] for run in sent] == [["needs_user"]] * 2


def test_a_record_is_kept_digit_by_digit() -> None:
    """Nothing reads a number of the connector and writes another."""
    line = b'{"type":"RECORD","record":{"stream":"charges","data":{"amount":12.10,"a":1E400},"emitted_at":1}}\n'
    assert record_in(line) == b'{"stream":"charges","data":{"amount":12.10,"a":1E400},"emitted_at":1}'


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("state.json", "{", "is not a list of states: delete it to load everything again."),
        ("state.json", '{"streams": []}', "is not a list of states: delete it to load everything again."),
        ("records", "a file", "Cannot write config.sync/records"),
    ],
)
def test_a_broken_folder_is_one_sentence(simulator: Simulator, tmp_path: Path, name: str, text: str, said: str) -> None:
    """Nothing is sent; exit code 1."""
    written(tmp_path, login_at(simulator, "instant+broken"))
    (tmp_path / "config.sync").mkdir()
    (tmp_path / "config.sync" / name).write_text(text, encoding="utf-8")
    code, _, told = run_without_terminal(["run", "config.json"], tmp_path, "")
    assert (code, said in " ".join(told.split()), "Traceback" in told) == (1, True, False)
    assert simulator.backend.count("/link/connect", "instant+broken") == 0


def test_a_full_disk_is_one_sentence_and_the_links_stay(simulator: Simulator, tmp_path: Path) -> None:
    """Records that do not fit are no file, and no state covers them; the file of the configuration is whole."""
    path = written(tmp_path, login_at(simulator, "user_good+disk"))
    with running(path) as process:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (60_000, 60_000))
        _, told = process.communicate(timeout=LONGEST_SECONDS)
        assert (process.returncode, "Cannot write" in told, "Traceback" in told) == (1, True, False)
    assert "access_token" in json.loads(path.read_text(encoding="utf-8"))["links"]
    assert not (tmp_path / "config.sync" / "state.json").exists()
    assert list((tmp_path / "config.sync" / "records").glob("*.jsonl")) == []


def test_the_catalog_is_one_that_the_connector_reads(simulator: Simulator, tmp_path: Path) -> None:
    """All streams or the named ones, in the order of the connector and in the chosen mode."""
    code, text, _ = run_without_terminal(
        ["catalog", "--streams", "charges, accounts", "--mode", "full_refresh"], tmp_path, ""
    )
    catalog = json.loads(text)
    assert (code, [one["stream"]["name"] for one in catalog["streams"]]) == (0, ["accounts", "charges"])
    assert {(one["sync_mode"], one["destination_sync_mode"]) for one in catalog["streams"]} == {
        ("full_refresh", "overwrite")
    }
    run = Connector(tmp_path).read(login_at(simulator, "instant+catalog"), catalog=catalog)
    assert (run.code, {record["stream"] for record in run.of("RECORD")}) == (0, {"accounts", "charges"})
    everything = json.loads(run_without_terminal(["catalog"], tmp_path, "")[1])
    assert {one["stream"]["name"]: one["sync_mode"] for one in everything["streams"]} == dict.fromkeys(
        ALL_STREAMS, "incremental"
    )


def test_an_unknown_stream_is_named_with_those_that_exist(tmp_path: Path) -> None:
    """Exit code 2, as for every wrong call."""
    code, said, told = run_without_terminal(["catalog", "--streams", "bills"], tmp_path, "")
    assert (code, said) == (2, "")
    assert "There is no stream 'bills'. The streams are: sustainability, accounts," in " ".join(told.split())
