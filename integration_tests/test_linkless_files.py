"""`linkless files` as a process: files of bills with safe names, an index, and a second run that asks for nothing."""

from __future__ import annotations

import csv
import hashlib
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from linkless_simulator import Simulator
from linkless_simulator.answers import Fault
from linkless_simulator.faults import Planned
from testing.connector import fleet_at
from testing.forked_command import run_without_terminal

FILE = "/sustainability/statement/file"


def prepared(simulator: Simulator, folder: Path, *stories: str, **options: Any) -> list[str]:
    """Write a configuration with linked logins of these stories; their keys are the stories. Returns the usernames."""
    usernames = [f"{story}+{folder.name}" for story in stories]
    tokens = [simulator.backend.link(username) for username in usernames]
    entries = [{"key": story, "access_token": token} for story, token in zip(stories, tokens, strict=True)]
    (folder / "config.json").write_text(json.dumps(fleet_at(simulator, *entries, **options)), encoding="utf-8")
    return usernames


def files(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Run the command into the folder `bills`; return its exit code and both outputs in one line."""
    code, said, told = run_without_terminal(["files", "config.json", "--to", "bills", *arguments], folder, "")
    assert "Traceback" not in told, told
    return code, " ".join(said.split()), " ".join(told.split())


def index(folder: Path) -> list[dict[str, str]]:
    """Return the rows of the index."""
    with (folder / "bills" / "index.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_every_bill_has_its_file_and_a_second_run_asks_for_none(simulator: Simulator, tmp_path: Path) -> None:
    """Names of key, account and bill, for the owner only; a file that is gone or damaged is fetched again."""
    (username,) = prepared(simulator, tmp_path, "instant")
    document = simulator.backend.document(username)
    bills = [bill for account in document["accounts"] for bill in account["statements"] if bill.get("statement_id")]
    assert files(tmp_path)[:2] == (0, f"Bills: {len(bills)} fetched. The index is bills/index.csv.")
    rows = index(tmp_path)
    assert sorted(row["statement_id"] for row in rows) == sorted(bill["statement_id"] for bill in bills)
    for row in rows:
        path = tmp_path / "bills" / row["file"]
        content = path.read_bytes()
        assert content.startswith(b"%PDF-")
        assert (row["status"], row["content_type"]) == ("fetched", "application/pdf")
        assert (row["sha256"], row["size_bytes"]) == (hashlib.sha256(content).hexdigest(), str(len(content)))
        assert row["file"].startswith(f"instant/{row['account_number']}/{row['billing_date']} ")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    asked = simulator.backend.count(FILE, username)
    (tmp_path / "bills" / rows[0]["file"]).write_bytes(b"damaged")
    (tmp_path / "bills" / rows[1]["file"]).unlink()
    assert files(tmp_path)[1].startswith(f"Bills: {len(bills) - 2} already there, 2 fetched.")
    assert simulator.backend.count(FILE, username) == asked + 2
    assert list((tmp_path / "bills").rglob("*.part")) == []


@pytest.mark.parametrize(
    ("story", "code", "status", "reason"),
    [
        ("files_missing", 0, "not_available", "INVALID_STATEMENT_ID"),
        ("files_not_found", 0, "not_available", "HTTP_404"),
        ("files_broken", 1, "failed", "UNEXPECTED_ERROR"),
    ],
)
def test_a_bill_without_a_file_has_a_row_that_says_why(
    simulator: Simulator, tmp_path: Path, story: str, code: int, status: str, reason: str
) -> None:
    """The others arrive all the same; what failed is asked for again by the next run."""
    prepared(simulator, tmp_path, story, "instant")
    since = ("--since", "2026-09-01")
    assert files(tmp_path, *since)[0] == code
    rows = {(row["key"], row["status"], row["reason"]) for row in index(tmp_path)}
    assert rows == {(story, status, reason), ("instant", "fetched", "")}
    assert {path.name for path in (tmp_path / "bills").iterdir()} == {"index.csv", "instant"}


def test_a_file_that_is_no_pdf_keeps_its_type(simulator: Simulator, tmp_path: Path) -> None:
    """The ending of its name follows the content type."""
    prepared(simulator, tmp_path, "files_scanned")
    assert files(tmp_path, "--since", "2026-09-01")[0] == 0
    assert {(row["content_type"], Path(row["file"]).suffix) for row in index(tmp_path)} == {("image/png", ".png")}


def test_names_lead_nowhere_else(simulator: Simulator, tmp_path: Path) -> None:
    """Whatever stands in keys and numbers, every file is below the folder, and two bills never share a name."""
    (username,) = prepared(simulator, tmp_path, "instant")
    odd = ["../../etc/passwd", "..", "a/b", "a:b", "a\\u0000b", "é" * 200, " .hidden. ", "CON"]
    bills = [{"statement_id": name, "statement_number": name, "billing_date": "2026-10-01"} for name in odd]
    simulator.backend.deliver(username, {"accounts": [{"account_number": "../../up", "statements": bills}]})
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    entries = json.loads(config["connection"]["connections"])
    entries[0]["key"] = "../key"
    config["connection"]["connections"] = json.dumps(entries)
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert files(tmp_path)[0] == 0
    rows = index(tmp_path)
    paths = [(tmp_path / "bills" / row["file"]).resolve() for row in rows]
    assert len({*paths}) == len(odd)
    assert all(path.is_file() and (tmp_path / "bills").resolve() in path.parents for path in paths)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bills", "config.json", "errors", "input", "output"]


def test_only_named_logins_and_those_that_are_linked_are_read(simulator: Simulator, tmp_path: Path) -> None:
    """A login without a token is reported, with exit code 3, and is not submitted."""
    prepared(simulator, tmp_path, "instant")
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    entries = json.loads(config["connection"]["connections"])
    fresh = {"key": "fresh", "source_id": simulator.source_id, "username": "instant+fresh", "password": "pass_good"}
    config["connection"]["connections"] = json.dumps([*entries, fresh])
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    code, said, _ = files(tmp_path, "--since", "2026-09-01", "fresh")
    assert (code, "fresh: not linked yet. Run `linkless link` first." in said) == (3, True)
    assert simulator.backend.submissions("instant+fresh") == 0
    assert files(tmp_path, "nowhere")[0] == 2
    assert files(tmp_path, "--since", "yesterday", "instant")[0] == 2
    assert files(tmp_path, "--since", "2026-09-01", "instant")[0] == 0


@pytest.mark.parametrize("choice", ["hash", "drop"])
def test_personal_data_that_is_kept_back_allows_no_file(simulator: Simulator, tmp_path: Path, choice: str) -> None:
    """One sentence says why; nothing is asked for."""
    (username,) = prepared(simulator, tmp_path, "instant", personal_data=choice, pseudonym_key="k" * 32)
    code, _, told = files(tmp_path)
    assert (code, "the files of bills are full of personal data" in told) == (2, True)
    assert simulator.backend.count(FILE, username) == 0


def test_files_that_do_not_come_in_time_are_one_sentence(simulator: Simulator, tmp_path: Path) -> None:
    """The provider asks for patience until the time is over; what had arrived stands in the index."""
    (username,) = prepared(simulator, tmp_path, "instant", data_timeout_minutes=0.02)
    simulator.backend.plan(Planned(FILE, Fault("RATE_LIMIT_EXCEEDED", 429).answer(), 50, username))
    code, _, told = files(tmp_path, "--since", "2026-09-01")
    assert (code, told) == (1, "Error: The provider did not answer in time.")
    assert index(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_one_sentence(simulator: Simulator, tmp_path: Path) -> None:
    """So is a file that is no index of this command."""
    prepared(simulator, tmp_path, "instant")
    (tmp_path / "bills").write_text("a file", encoding="utf-8")
    code, _, told = files(tmp_path)
    assert (code, "Directory 'bills' is a file." in told) == (2, True)
    (tmp_path / "bills").unlink()
    (tmp_path / "bills").mkdir()
    (tmp_path / "bills" / "index.csv").write_text("a,b\\n1,2\\n", encoding="utf-8")
    code, _, told = files(tmp_path)
    assert (code, "is not an index of this command: move it away." in told) == (1, True)
