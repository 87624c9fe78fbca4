"""The stream `statement_files` as a process: files beside their records, and a destination that takes none."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from linkless_simulator import Simulator
from linkless_simulator.files import pdf_of
from source_linkless.streams import STREAMS
from testing.connector import Connector, Run, catalog_json, fleet_at
from testing.worlds import ALL_STREAMS

FILE = "/sustainability/statement/file"
STREAM = "statement_files"


def linked(simulator: Simulator, *usernames: str, **options: Any) -> dict[str, Any]:
    """Return a configuration of logins that are linked already; a key is what stands before the plus sign."""
    entries = [
        {"key": username.partition("+")[0], "access_token": simulator.backend.link(username)} for username in usernames
    ]
    return fleet_at(simulator, *entries, **options)


def sent(run: Run) -> list[dict[str, Any]]:
    """Return the records of the stream with their envelope."""
    return [record for record in run.of("RECORD") if record["stream"] == STREAM]


def test_a_destination_that_takes_files_gets_them(simulator: Simulator, tmp_path: Path) -> None:
    """Each file is in the staging folder with the bytes of the provider, and its record says where."""
    staging = tmp_path / "staging"
    staging.mkdir()
    config = linked(simulator, "instant+staged", "files_scanned+staged", "files_not_found+staged")
    catalog = catalog_json((*ALL_STREAMS, STREAM), include_files=True)
    run = Connector(tmp_path).read(config, catalog=catalog, AIRBYTE_STAGING_DIRECTORY=str(staging))
    assert (run.code, run.statuses(STREAM)) == (0, ["STARTED", "RUNNING", "COMPLETE"])
    accounts = simulator.backend.document("instant+staged")["accounts"]
    bills = {bill["statement_id"]: bill for account in accounts for bill in account["statements"]}
    of_instant = [record for record in sent(run) if record["data"]["connection_key"] == "instant"]
    assert {record["data"]["statement_id"] for record in of_instant} == bills.keys()
    for record in of_instant:
        row, reference = record["data"], record["file_reference"]
        staged = Path(reference["staging_file_url"])
        assert staged.is_relative_to(staging)
        assert staged.read_bytes() == pdf_of(bills[row["statement_id"]])
        assert reference["file_size_bytes"] == row["size_bytes"] == staged.stat().st_size
        assert staged.as_posix().endswith(f"/{reference['source_file_relative_path']}")
        assert hashlib.sha256(staged.read_bytes()).hexdigest() == row["sha256"]
    scanned = [record for record in sent(run) if record["data"]["connection_key"] == "files_scanned"]
    assert {Path(record["file_reference"]["staging_file_url"]).suffix for record in scanned} == {".png"}
    missing = [record for record in sent(run) if record["data"]["connection_key"] == "files_not_found"]
    assert {(record["data"]["status"], record["data"]["reason"]) for record in missing} == {
        ("not_available", "HTTP_404")
    }
    assert [record for record in missing if "file_reference" in record] == []
    assert {row["status"] for row in run.rows("connections")} == {"ready"}


def test_any_other_destination_gets_the_row_alone(simulator: Simulator, tmp_path: Path) -> None:
    """The second sync asks for nothing, and without the stream nothing is asked at all."""
    connector = Connector(tmp_path)
    config = linked(simulator, "instant+rows")
    selected = catalog_json((*ALL_STREAMS, STREAM))
    first = connector.read(config, catalog=selected)
    asked = simulator.backend.count(FILE, "instant+rows")
    second = connector.read(config, catalog=selected, state=first.states)
    assert (first.code, second.code) == (0, 0)
    assert len(sent(first)) == asked > 0
    assert [record for record in sent(first) if "file_reference" in record] == []
    assert (sent(second), simulator.backend.count(FILE, "instant+rows")) == ([], asked)
    assert any(line.startswith(f"Files of bills: {asked} fetched.") for line in first.logs("INFO"))
    assert connector.read(config).code == 0
    assert simulator.backend.count(FILE, "instant+rows") == asked


@pytest.mark.parametrize("mode", ["hash", "drop"])
def test_a_private_sync_sends_no_file(simulator: Simulator, tmp_path: Path, mode: str) -> None:
    """It says so once, and the other streams are as ever."""
    config = linked(
        simulator, f"instant+{mode}", personal_data=mode, pseudonym_key="a long key made up for this very test"
    )
    run = Connector(tmp_path).read(config, catalog=catalog_json((*ALL_STREAMS, STREAM), include_files=True))
    assert (run.code, sent(run), simulator.backend.count(FILE, f"instant+{mode}")) == (0, [], 0)
    assert len([line for line in run.logs("WARN") if STREAM in line]) == 1
    assert run.rows("statements")


def test_the_catalog_offers_it_as_a_stream_with_files(simulator: Simulator, tmp_path: Path) -> None:
    """And no other one."""
    run = Connector(tmp_path).discover(linked(simulator, "instant+discovered"))
    offered = run.of("CATALOG")[0]["streams"]
    assert [stream["name"] for stream in offered if stream.get("is_file_based")] == [STREAM]
    assert len(offered) == len(STREAMS)
