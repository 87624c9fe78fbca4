"""Mistakes of the first hour: each ends with one sentence that names the file and the place, and without a traceback.

The table is the claim: command, input, sentence, exit code. `check` answers FAILED, as the platform expects.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from testing.connector import catalog_json
from testing.forked_connector import Ended, ForkedRun

SECRET = "pass-word-of-nobody"
GOOD = {"environment": "live", "client_id": "c", "secret": SECRET}


def _catalog(**changes: Any) -> bytes:
    catalog = catalog_json(["accounts"])
    catalog["streams"][0] |= changes
    return json.dumps(catalog).encode()


FILES: dict[str, bytes] = {
    "good": json.dumps(GOOD).encode(),
    "comma": f'{{"secret": "{SECRET}",}}'.encode(),
    "yaml": f"secret: {SECRET}\n".encode(),
    "empty": b"",
    "array": b"[]",
    "cut": f'{{"secret": "{SECRET}'.encode(),
    "latin": f'{{"secret": "{SECRET}\xe9"}}'.encode("latin-1"),
    "deep": b"[" * 100_000,
    "catalog": _catalog(),
    "catalog-no-streams": b"{}",
    "catalog-null-streams": b'{"streams": null}',
    "catalog-bad-mode": _catalog(sync_mode="sometimes"),
    "catalog-bad-stream": _catalog(stream=5),
    "catalog-bad-key": _catalog(primary_key="account_number"),
    "catalog-bad-generation": _catalog(generation_id="first"),
    "catalog-discovered": b'{"type": "CATALOG", "catalog": {"streams": []}}',
    "state-object": b'{"accounts": 1}',
    "state-text": b'["text"]',
    "state-empty-entry": b'[{"type": "STREAM"}]',
}
CONFIG = "The configuration file"
DISCOVERED = (
    "is not a configured catalog: streams is missing or not what the protocol allows. `linkless catalog` prints"
)
STATE = "must hold an array of the last state of each stream, but"


@dataclass(frozen=True, slots=True)
class Mistake:
    """A command line, how the sentence about it begins, and the exit code."""

    line: str
    sentence: str
    code: int


TABLE = [
    Mistake("", "No command was given: use spec, check, discover or read.", 1),
    Mistake("check", "The arguments are wrong: the following arguments are required: --config.", 1),
    Mistake("read --config good", "The arguments are wrong: the following arguments are required: --catalog.", 1),
    Mistake("publish", "The arguments are wrong: argument command: invalid choice: 'publish'", 1),
    Mistake("spec --fast", "The arguments are wrong: unrecognized arguments: --fast.", 1),
    Mistake("check --config none", f"{CONFIG} none does not exist.", 0),
    Mistake("check --config folder", f"{CONFIG} folder is a folder", 0),
    Mistake("check --config comma", f"{CONFIG} comma is not valid JSON (line 1, column 33): remove the comma", 0),
    Mistake("check --config yaml", f"{CONFIG} yaml is not valid JSON (line 1, column 1): it must begin with {{", 0),
    Mistake("check --config empty", f"{CONFIG} empty is empty.", 0),
    Mistake("check --config array", f"{CONFIG} array must hold a JSON object, in braces, but it holds an array.", 0),
    Mistake("check --config latin", f"{CONFIG} latin is not written in UTF-8 (line 1, byte 32)", 0),
    Mistake("check --config deep", f"{CONFIG} deep is not valid JSON: it is nested too deeply.", 0),
    Mistake("discover --config none", f"{CONFIG} none does not exist.", 1),
    Mistake("discover --config comma", f"{CONFIG} comma is not valid JSON (line 1, column 33)", 1),
    Mistake("discover --config folder", f"{CONFIG} folder is a folder", 1),
    Mistake("read --config cut --catalog catalog", f"{CONFIG} cut is not valid JSON (line 1, column 12)", 1),
    Mistake("read --config none --catalog catalog", f"{CONFIG} none does not exist.", 1),
    Mistake("read --config good --catalog none", "The catalog file none does not exist.", 1),
    Mistake("read --config good --catalog array", "The catalog file array must hold a JSON object", 1),
    Mistake("read --config good --catalog catalog-no-streams", f"The catalog file catalog-no-streams {DISCOVERED}", 1),
    Mistake(
        "read --config good --catalog catalog-null-streams", f"The catalog file catalog-null-streams {DISCOVERED}", 1
    ),
    Mistake("read --config good --catalog catalog-discovered", f"The catalog file catalog-discovered {DISCOVERED}", 1),
    *(
        Mistake(
            f"read --config good --catalog catalog-bad-{name}",
            f"The catalog file catalog-bad-{name} is not a configured catalog: streams/0/{place} is missing or not",
            1,
        )
        for name, place in {
            "mode": "sync_mode",
            "stream": "stream",
            "key": "primary_key",
            "generation": "generation_id",
        }.items()
    ),
    Mistake("read --config good --catalog catalog --state none", "The state file none does not exist.", 1),
    Mistake("read --config good --catalog catalog --state comma", "The state file comma is not valid JSON (line 1", 1),
    Mistake(
        "read --config good --catalog catalog --state state-object",
        f"The state file state-object {STATE} it is not an array.",
        1,
    ),
    Mistake(
        "read --config good --catalog catalog --state state-text",
        f"The state file state-text {STATE} its entry 1 is none.",
        1,
    ),
    Mistake(
        "read --config good --catalog catalog --state state-empty-entry",
        f"The state file state-empty-entry {STATE} its entry 1 is none.",
        1,
    ),
    Mistake("read --config good --catalog catalog", '"Utility logins" (connection) is missing', 1),
]


def ended(folder: Path, line: str) -> Ended:
    """Run the connector in a folder that has all the files."""
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    (folder / "folder").mkdir()
    return ForkedRun.of(folder, *line.split()).ended()


@pytest.mark.parametrize("mistake", TABLE, ids=lambda mistake: mistake.line or "nothing")
def test_a_mistake_ends_with_one_sentence(tmp_path: Path, mistake: Mistake) -> None:
    """No traceback, no secret; `check` answers FAILED, everything else ends with a config error."""
    run = ended(tmp_path, mistake.line)
    answers = [one["connectionStatus"] for one in run.messages if one["type"] == "CONNECTION_STATUS"]
    errors = [one["trace"]["error"] for one in run.messages if one["type"] == "TRACE"]
    said = [*(one["message"] for one in answers), *(one["message"] for one in errors)]
    assert [sentence[: len(mistake.sentence)] for sentence in said] == [mistake.sentence]
    assert "\n" not in said[0]
    assert (run.code, run.errors) == (mistake.code, "")
    assert [one["status"] for one in answers] == ["FAILED"] * (mistake.code == 0)
    assert [one["failure_type"] for one in errors] == ["config_error"] * mistake.code
    output = run.output.decode()
    assert SECRET not in output
    assert "Traceback" not in output
    assert "stack_trace" not in output


def test_a_file_that_this_user_may_not_read_is_named(tmp_path: Path) -> None:
    """Root may read everything, so there the sentence cannot come."""
    path = tmp_path / "good"
    path.write_bytes(FILES["good"])
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read every file")
    run = ForkedRun.of(tmp_path, "check", "--config", "good").ended()
    assert b"The configuration file good cannot be read: Permission denied." in run.output
