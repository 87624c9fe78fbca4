"""The stream `statement_files`: which files are asked for, what is sent of them, and that nothing else pays for it."""

from __future__ import annotations

import hashlib
import mmap
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import orjson
import pytest
from airbyte_cdk.models import SyncMode

from linkless_simulator.answers import Fault
from linkless_simulator.bills import Sizes
from linkless_simulator.faults import Planned
from linkless_simulator.files import pdf_of, png
from source_linkless.bills import Account, read_document
from source_linkless.config import Login
from source_linkless.linking import events
from source_linkless.provider import StatementFile
from source_linkless.provider.outcomes import READY
from source_linkless.streams import STREAMS
from source_linkless.sync.changes import StreamChanges
from source_linkless.sync.files import StatementFiles
from source_linkless.sync.output import Lines
from testing.worlds import TODAY, Sync, World, catalog_of

FILE = "/sustainability/statement/file"
STREAM = "statement_files"
SELECTED = (*(name for name in STREAMS if name != STREAM), STREAM)
SMALL = Sizes(accounts=2, statements=4)


def linked(world: World, *stories: str, **options: Any) -> dict[str, Any]:
    """Return a configuration of logins that are linked already; their keys are the stories."""
    entries = [{"key": story, "access_token": world.backend.link(story)} for story in stories]
    return world.fleet(entries, **options)


def read(world: World, config: dict[str, Any], before: Sync | None = None) -> Sync:
    """Read every stream, `statement_files` included, after an earlier read."""
    return world.read(config, state=before.states if before else (), catalog=catalog_of(SELECTED))


def statuses(sync: Sync) -> Counter[str]:
    """Return how many rows have each status."""
    return Counter(row["status"] for row in sync.rows(STREAM))


def bills_of(world: World, story: str) -> dict[str, dict[str, Any]]:
    """Return the bills that the provider has, by identifier."""
    accounts = world.backend.document(story)["accounts"]
    return {bill["statement_id"]: bill for account in accounts for bill in account["statements"]}


def test_a_file_is_a_row_with_its_checksum() -> None:
    """One row for each bill; a picture keeps its type, and a bill without a file says why."""
    world = World(sizes=SMALL)
    sync = read(world, linked(world, "instant", "files_scanned", "files_missing"))
    assert statuses(sync) == {"fetched": 16, "not_available": 8}
    bills = bills_of(world, "instant")
    rows = {row["statement_id"]: row for row in sync.rows(STREAM) if row["connection_key"] == "instant"}
    assert rows.keys() == bills.keys()
    for statement_id, row in rows.items():
        content = pdf_of(bills[statement_id])
        assert (row["sha256"], row["size_bytes"]) == (hashlib.sha256(content).hexdigest(), len(content))
        assert row["content_type"] == "application/pdf"
        assert row["file_name"] == f"{bills[statement_id]['billing_date']} {row['statement_key']}.pdf"
    scanned = [row for row in sync.rows(STREAM) if row["connection_key"] == "files_scanned"]
    assert {(row["content_type"], row["sha256"], row["file_name"][-4:]) for row in scanned} == {
        ("image/png", hashlib.sha256(png()).hexdigest(), ".png")
    }
    missing = [row for row in sync.rows(STREAM) if row["connection_key"] == "files_missing"]
    assert {(row["reason"], row.get("sha256")) for row in missing} == {("INVALID_STATEMENT_ID", None)}


def test_unselected_it_costs_no_request() -> None:
    """The journal of a sync without the stream has no request for a file, and every other one."""
    journals, worlds = [], [World(sizes=SMALL), World(sizes=SMALL)]
    for world, catalog in zip(worlds, (catalog_of(), catalog_of(SELECTED)), strict=True):
        config = linked(world, "instant", "corrected")
        world.read(config, catalog=catalog)
        journals.append([entry.path for entry in world.backend.journal])
    without, selected = journals
    assert FILE not in without
    assert Counter(path for path in selected if path != FILE) == Counter(without)
    assert selected.count(FILE) == sum(len(bills_of(worlds[1], story)) for story in ("instant", "corrected"))


def test_files_cost_the_other_streams_nothing() -> None:
    """Every row of every other stream is what it is without them, the waiting of each login included."""
    syncs = []
    for catalog in (catalog_of(), catalog_of(SELECTED)):
        world = World(sizes=SMALL)
        config = world.fleet(["instant", "slow", "wrong_password", "files_broken", "growing"])
        syncs.append(world.read(config, catalog=catalog))
    without, selected = syncs
    for stream in SELECTED[:-1]:
        ours = [{**row, "observed_at": "", "snapshot_at": "", "waited_seconds": 0} for row in selected.rows(stream)]
        rest = [{**row, "observed_at": "", "snapshot_at": "", "waited_seconds": 0} for row in without.rows(stream)]
        assert sorted(map(orjson.dumps, ours)) == sorted(map(orjson.dumps, rest))
    for key in ("instant", "slow", "wrong_password", "files_broken", "growing"):
        waits = [sync.row(key)["waited_seconds"] for sync in syncs]
        assert abs(waits[0] - waits[1]) <= 2
    assert (without.error is None, selected.error is None) == (True, True)
    assert [sync.statuses("statements")[-1] for sync in syncs] == ["COMPLETE"] * 2


def test_a_login_has_its_row_before_its_first_file() -> None:
    """And the rows of its bills before that."""
    world = World(sizes=SMALL)
    sync = read(world, linked(world, "instant"))
    order = [m.record.stream for m in sync.messages if m.record is not None]
    assert order.index("connections") < order.index(STREAM)
    assert max(at for at, name in enumerate(order) if name == "statements") < order.index(STREAM)


def test_only_new_and_changed_bills_are_asked_for() -> None:
    """An unchanged document costs no request, a corrected bill one, a new one another."""
    world = World(sizes=SMALL)
    config = linked(world, "instant")
    first = read(world, config)
    second = read(world, config, first)
    assert (world.count(FILE), second.rows(STREAM)) == (8, [])
    document = world.backend.document("instant")
    old = document["accounts"][0]["statements"]
    corrected = {**old[1], "total_due_amount": 1.25}
    new = {**old[0], "statement_id": "new-1", "statement_number": "new-1"}
    old[1:2] = [corrected, new]
    world.backend.deliver("instant", document)
    third = read(world, config, second)
    assert {row["statement_id"] for row in third.rows(STREAM)} == {corrected["statement_id"], "new-1"}
    assert world.count(FILE) == 10
    read(world, config, third)
    assert world.count(FILE) == 10


def test_what_a_deadline_leaves_comes_with_the_next_sync() -> None:
    """Every file is fetched once, and the login is ready all the same."""
    world = World(sizes=SMALL, latency=2.0)
    config = linked(world, "instant", data_timeout_minutes=0.2)
    syncs: list[Sync] = []
    while not syncs or syncs[-1].rows(STREAM):
        syncs.append(read(world, config, syncs[-1] if syncs else None))
        assert (syncs[-1].error, syncs[-1].row("instant")["status"]) == (None, "ready")
    fetched = [row["statement_id"] for sync in syncs for row in sync.rows(STREAM) if row["status"] == "fetched"]
    assert len(syncs) > 2
    assert sorted(fetched) == sorted(bills_of(world, "instant"))


def test_what_no_state_covers_is_asked_for_again() -> None:
    """A sync that was killed loses nothing: its next one fetches everything after the last state."""
    world = World(sizes=Sizes(accounts=2, statements=36), latency=10.0)
    config = linked(world, "instant")
    whole = read(world, config)
    states = [
        at
        for at, message in enumerate(whole.messages)
        if message.state and message.state.stream and message.state.stream.stream_descriptor.name == STREAM
    ]
    killed = Sync(messages=whole.messages[: states[len(states) // 2] + 1])
    covered = {row["statement_id"] for row in killed.rows(STREAM)}
    rest = {row["statement_id"] for row in read(world, config, killed).rows(STREAM)}
    assert covered
    assert rest
    assert covered | rest == bills_of(world, "instant").keys()
    assert not covered & rest


def test_failures_in_a_row_leave_the_rest_to_the_next_sync() -> None:
    """Each failure is a row with its reason. What failed is asked for last, so that it never blocks the others."""
    world = World(sizes=SMALL)
    config = linked(world, "files_broken")
    first = read(world, config)
    assert [(row["status"], row["reason"]) for row in first.rows(STREAM)] == [("failed", "UNEXPECTED_ERROR")] * 3
    assert first.row("files_broken")["status"] == "ready"
    second = read(world, config, first)
    failed = [{row["statement_id"] for row in sync.rows(STREAM)} for sync in (first, second)]
    assert not failed[0] & failed[1]
    third = read(world, config, second)
    assert statuses(third) == {"failed": 3}
    assert len({row["statement_id"] for sync in (first, second, third) for row in sync.rows(STREAM)}) == 8
    world.backend.tell("files_broken", "instant")
    fourth = read(world, config, third)
    assert statuses(fourth) == {"fetched": 8}
    assert read(world, config, fourth).rows(STREAM) == []


def test_a_refused_token_ends_the_files_of_its_login_alone() -> None:
    """The other login's files arrive; the refusal is one row."""
    world = World(sizes=SMALL)
    config = linked(world, "instant", "corrected")
    fault = Fault("INVALID_ACCESS_TOKEN", 401)
    world.backend.plan(Planned(FILE, fault.answer(), username="corrected"))
    rows = read(world, config).rows(STREAM)
    assert Counter((row["connection_key"], row["status"]) for row in rows) == {
        ("instant", "fetched"): 8,
        ("corrected", "failed"): 1,
    }


def test_bills_before_the_start_date_have_no_file() -> None:
    """An earlier start date brings them later."""
    world = World(sizes=SMALL)
    dates = sorted({bill["billing_date"] for bill in bills_of(world, "instant").values()})
    late = linked(world, "instant", start_date=dates[-1])
    first = read(world, late)
    assert {row["file_name"][:10] for row in first.rows(STREAM)} == {dates[-1]}
    second = read(world, {**late, "start_date": dates[0]}, first)
    assert len(first.rows(STREAM)) + len(second.rows(STREAM)) == 8


@pytest.mark.parametrize("mode", ["hash", "drop"])
def test_no_file_leaves_where_personal_data_does_not(mode: str, caplog: pytest.LogCaptureFixture) -> None:
    """No row, no request, no account number in the state, and one warning."""
    world = World(sizes=SMALL)
    config = linked(world, "instant")
    kept = read(world, config)
    asked = world.count(FILE)
    caplog.clear()
    private = {**config, "personal_data": mode, "pseudonym_key": "a long key made up for this test"}
    sync = read(world, private, kept)
    assert (sync.rows(STREAM), world.count(FILE)) == ([], asked)
    warnings = [record.message for record in caplog.records if STREAM in record.message]
    assert len([text for text in warnings if "sends no record and no file" in text]) == 1
    (state,) = [one for one in sync.states if one.stream and one.stream.stream_descriptor.name == STREAM]
    numbers = {row["account_number"] for row in kept.rows(STREAM)}
    assert not [number for number in numbers if number in str(state.stream)]


def test_the_state_holds_a_few_characters_for_each_bill() -> None:
    """And nothing of bills and accounts that are gone."""
    world = World(sizes=Sizes(accounts=1, statements=20))
    config = linked(world, "instant")
    first = read(world, config)
    assert [len(marks) for marks in remembered(first)] == [6 * 20]
    document = world.backend.document("instant")
    del document["accounts"][0]["statements"][5:]
    world.backend.deliver("instant", document)
    second = read(world, config, first)
    assert [len(marks) for marks in remembered(second)] == [6 * 5]
    document["accounts"][0]["account_number"] = "another"
    world.backend.deliver("instant", document)
    assert len(remembered(read(world, config, second))) == 1


def remembered(sync: Sync) -> list[str]:
    """Return the marks of each account in the state of the stream."""
    (state,) = [one.stream for one in sync.states if one.stream and one.stream.stream_descriptor.name == STREAM]
    assert state.stream_state is not None
    known = state.stream_state.__dict__["connections"]["instant"]
    return list(known.get("files", {}).values())


def test_in_a_full_refresh_every_file_is_asked_for() -> None:
    """Its state remembers nothing."""
    world = World(sizes=SMALL)
    config = linked(world, "instant")
    catalog = catalog_of(SELECTED, mode=SyncMode.full_refresh)
    syncs = [world.read(config, catalog=catalog)]
    syncs.append(world.read(config, catalog=catalog, state=syncs[0].states))
    assert [statuses(sync) for sync in syncs] == [{"fetched": 8}] * 2


def account(**fields: Any) -> Account:
    """Return an account with one bill."""
    bill = {"statement_id": "s/1", "billing_date": "2026-01-31", **fields}
    body = orjson.dumps({"accounts": [{"account_number": "A:1", "statements": [bill]}]})
    (found,) = read_document(body).accounts()
    return found


def files_into(folder: Path, *, takes_files: bool = True) -> tuple[StatementFiles, events.WantedFile]:
    """Return the files of a sync with one wanted file, and that file."""
    changes = StreamChanges(STREAMS[STREAM], None, start_date=None)
    changes.observe("hq", None, "2026-03-01T06:00:00.000000Z")
    world = World()
    files = StatementFiles(changes, None, world.surroundings().now, str(folder) if takes_files else None)
    (wanted,) = files.wanted("hq", account())
    return files, wanted


def answer(wanted: events.WantedFile, content: bytes = b"%PDF-1.7 x") -> events.FileAnswered:
    """Return the answer with a file."""
    return events.FileAnswered(Login("hq"), wanted, StatementFile(content, "application/pdf"), READY)


def test_a_file_is_staged_where_the_destination_takes_files(tmp_path: Path) -> None:
    """Under a name that every system takes, in a folder of its own, with the three fields of the reference."""
    files, wanted = files_into(tmp_path)
    rows, reference = files.record(answer(wanted))
    (row,) = rows.dicts()
    assert reference is not None
    staged = Path(reference.staging_file_url or "")
    assert (staged.read_bytes(), reference.file_size_bytes) == (b"%PDF-1.7 x", 10)
    path = reference.source_file_relative_path or ""
    assert staged.is_relative_to(tmp_path / "statement_files")
    assert staged.as_posix().endswith(path)
    assert path.split("/")[0] == "hq"
    assert Path(path).name == row["file_name"]
    assert not set(path) & set(':\\"*?<>|')
    again, second = files.record(answer(wanted))
    assert [*again.dicts()] == [row]
    assert second is not None
    assert second.staging_file_url != reference.staging_file_url


NAMES = [
    ("hq", "A-1", "2026-01-31", "s1", "hq/A-1/2026-01-31 s1.pdf"),
    ("hq", "A-1", None, "s1", "hq/A-1/s1.pdf"),
    ("..", "a/b", "2026-01-31", "x:y", None),
    ("CON", "nul.txt", None, " trailing. ", None),
    ("é", "", None, "s" * 300, None),
]


@pytest.mark.parametrize(("key", "number", "date", "statement", "expected"), NAMES)
def test_a_file_name_is_safe_on_every_system(
    key: str, number: str, date: str | None, statement: str, expected: str | None
) -> None:
    """Three parts, no device, nothing that leads elsewhere; a name that was changed is told apart by its hash."""
    path = StatementFile(b"%PDF-", "application/pdf").path(key, number, date, statement)
    assert expected is None or str(path) == expected
    assert (len(path.parts), path.suffix) == (3, ".pdf")
    for part in path.parts:
        assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._() -]{0,110}", part) or part.startswith("unnamed-")
        assert part.partition(".")[0].upper() not in {"CON", "NUL", ""}
    other = StatementFile(b"%PDF-", "application/pdf").path(key + "/", number, date, statement)
    assert other != path


def test_a_large_file_is_copied_from_disk(tmp_path: Path) -> None:
    """Its checksum and its copy are those of the whole."""
    large = b"%PDF-" + bytes(range(256)) * 12_000
    with TemporaryFile() as file:
        file.write(large)
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as body:
            files, wanted = files_into(tmp_path)
            rows, reference = files.record(
                events.FileAnswered(Login("hq"), wanted, StatementFile(body, "application/pdf"), READY)
            )
    assert reference is not None
    assert Path(reference.staging_file_url or "").read_bytes() == large
    assert [row["sha256"] for row in rows.dicts()] == [hashlib.sha256(large).hexdigest()]


def test_elsewhere_nothing_is_written(tmp_path: Path) -> None:
    """The row is the same."""
    files, wanted = files_into(tmp_path, takes_files=False)
    rows, reference = files.record(answer(wanted))
    assert (reference, list(tmp_path.iterdir())) == (None, [])
    assert [row["sha256"] for row in rows.dicts()] == [hashlib.sha256(b"%PDF-1.7 x").hexdigest()]


def test_a_folder_that_cannot_be_written_is_a_failed_row(tmp_path: Path) -> None:
    """It is asked for again in the next sync."""
    (tmp_path / "file").write_bytes(b"")
    files, wanted = files_into(tmp_path / "file")
    rows, reference = files.record(answer(wanted))
    assert reference is None
    assert [(row["status"], row["reason"]) for row in rows.dicts()] == [("failed", "NO_TEMPORARY_SPACE")]
    assert files.wanted("hq", account()) == [replace(wanted, has_failed=True)]


def test_lines_and_messages_say_the_same_of_a_file() -> None:
    """With the reference, and without one as before."""
    blocks: list[bytes] = []
    world = World(sizes=SMALL)
    config = linked(world, "instant")
    lines = Lines(blocks.append)
    world.read(config, catalog=catalog_of((STREAM,)), output=lines)
    lines.flush()  # as the process does before the state: the last block is written by who reads the messages
    written = [orjson.loads(line)["record"] for line in b"".join(blocks).splitlines()]
    assert [set(record) for record in written] == [{"stream", "data", "emitted_at"}] * 8
    assert TODAY.isoformat()[:4] in written[0]["data"]["fetched_at"]
