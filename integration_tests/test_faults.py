"""The matrix: every fault on the wire at `connect` and `exchange`, every class of fault at the other endpoints.

The real transport over real sockets, waits in virtual time. Each case is two syncs: one that meets the fault, and an
undisturbed one with what the first left behind, after which nothing may be missing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import IO, Any

import pytest

from linkless_simulator.bills import Sizes
from linkless_simulator.files import pdf_of
from linkless_simulator.front import Front
from linkless_simulator.wire_faults import WIRE_FAULTS, Setting
from source_linkless.concurrency.waiting import RateLimit
from source_linkless.config import parse_config
from source_linkless.errors import Problem
from source_linkless.provider import Api
from source_linkless.provider.api import StatementFile
from source_linkless.provider.transport import IN_MEMORY, HttpTransport
from testing.connector import Connector, fleet_at
from testing.fault_table import (
    A_DOCUMENT,
    CONFIG,
    CONNECT,
    CONTEXT,
    CREATE,
    EACH_CLASS,
    EFFECTS,
    EXCHANGE,
    FILE,
    FILES,
    FOR_EVER,
    KEYS,
    MINUTES,
    NEVER_CARRIED_OUT,
    NO_FILES,
    PRODUCT,
    REFRESH,
    REFRESHES,
    ROWS,
    SOURCES,
    STATUS,
    TRANSIENT,
    Effect,
    Row,
    row_of,
)
from testing.wired_worlds import WiredWorld
from testing.worlds import ALL_STREAMS, Sync, World

DAY = 86_400.0
SMALL = Sizes(2, 6, 2)
JUST_TOO_LARGE = Setting(size=17 * 2**20, pause=0.02)


@pytest.fixture(scope="module")
def front() -> Iterator[Front]:
    """Run one front for all worlds of this file."""
    with Front(setting=JUST_TOO_LARGE) as running:
        yield running


def submissions() -> Iterator[tuple[str, bool]]:
    """Yield every fault of a submission, not carried out and carried out, as far as each makes sense."""
    for name, fault in WIRE_FAULTS.items():
        if not fault.needs_answer:
            yield name, False
        if EFFECTS[name][0] not in NEVER_CARRIED_OUT:
            yield name, True


def bills(*syncs: Sync) -> set[tuple[str, str]]:
    """Return every bill that arrived in any of the syncs."""
    return {(row["account_number"], row["statement_key"]) for sync in syncs for row in sync.rows("statements")}


@cache
def all_bills() -> set[tuple[str, str]]:
    """Return the bills of an undisturbed sync."""
    world = World(sizes=SMALL)
    return bills(world.read(world.config(username="instant")))


def config_of(world: WiredWorld, username: str = "instant", **options: Any) -> dict[str, Any]:
    """Return a configuration with one login, which waits for five minutes at most."""
    return world.config(username=username, data_timeout_minutes=MINUTES, **options)


def assert_row(sync: Sync, row: Row, reason: str) -> None:
    """Hold the end of a sync against its row of the table."""
    found = sync.row("site")
    assert (found["status"], found["actor"], found.get("reason", "")) == (row.status, row.actor, reason)
    assert sync.failure_type == row.failure
    ends = {stream: sync.statuses(stream)[-1] for stream in ALL_STREAMS}
    assert ends == {s: "COMPLETE" if row.failure is None or s == "connections" else "INCOMPLETE" for s in ALL_STREAMS}


def assert_healed(world: WiredWorld, front: Front, config: dict[str, Any], first: Sync) -> Sync:
    """Sync once more without a fault: complete, and the login was submitted twice at most; returns that sync."""
    asked = world.count(CONNECT)
    front.disarm()
    world.pass_time(3600)
    second = world.read(first.config or config, state=first.states)
    assert second.error is None
    assert second.row("site")["status"] == "ready"
    assert bills(first, second) == all_bills()
    assert world.count(CONNECT) - asked <= 1
    assert world.backend.submissions("instant") <= 2
    assert front.elsewhere.seen == []
    return second


def test_every_fault_has_its_expectation() -> None:
    """A fault that is added to the simulator needs its row in the table."""
    assert set(EFFECTS) == set(WIRE_FAULTS)
    classes = {(fault.kind, EFFECTS[name][0]) for name, fault in WIRE_FAULTS.items()}
    assert classes - {(WIRE_FAULTS[name].kind, EFFECTS[name][0]) for name in EACH_CLASS} == {
        ("large", Effect.ODD),  # a document has a test of its own
    }


def met(
    front: Front, path: str, fault: str, *, processed: bool = False
) -> tuple[WiredWorld, dict[str, Any], Sync, Row]:
    """Let a first sync meet a fault, and hold it against what is expected: requests, row, time."""
    world = WiredWorld(front, sizes=SMALL)
    front.arm(fault, path, processed=processed)
    config = config_of(world)
    first = world.read(config)
    row, reason = row_of(path, fault)
    assert_row(first, row, reason)
    assert world.count(path) == row.asked
    assert world.seconds() <= MINUTES * 60 + 1
    return world, config, first, row


@pytest.mark.parametrize("path", [CONNECT, EXCHANGE])
@pytest.mark.parametrize(("fault", "processed"), list(submissions()))
def test_a_fault_of_a_submission_loses_nothing(front: Front, path: str, fault: str, *, processed: bool) -> None:
    """Sent once in a run, told as what it was; the next sync links at most once more and brings everything."""
    world, config, first, row = met(front, path, fault, processed=processed)
    second = assert_healed(world, front, config, first)
    assert world.count(CONNECT) == (row.asked if path == CONNECT else 1) + (row.status != "ready")
    assert world.count(EXCHANGE) <= 2
    assert (bills(second) == set()) == (row.status == "ready")


@pytest.mark.parametrize("fault", [name for name, (effect, _) in EFFECTS.items() if effect is not Effect.FINE])
def test_a_fault_that_stays_submits_a_login_twice_at_most(front: Front, fault: str) -> None:
    """Four syncs of a day meet the same fault at `connect`, carried out if that makes sense: two logins, no more."""
    world = WiredWorld(front, sizes=SMALL)
    effect, config, ends = EFFECTS[fault][0], config_of(world), []
    is_submitted = effect not in NEVER_CARRIED_OUT
    for _ in range(4):
        front.arm(fault, CONNECT, times=1 if effect is Effect.LIMITED else 10_000, processed=is_submitted)
        sync = world.read(config)
        ends.append(sync.row("site").get("reason"))
        config = sync.config or config
        world.pass_time(3600)
    if is_submitted:
        assert (world.count(CONNECT), world.backend.submissions("instant")) == (2, 2)
        assert ends[2:] == ["SUBMITTED_TWICE"] * 2
    else:
        assert world.backend.submissions("instant") == (effect is Effect.LIMITED)


def reads() -> Iterator[tuple[str, str]]:
    """Yield every other endpoint of a sync with a fault of each class."""
    for path in (KEYS, CREATE, STATUS, CONTEXT, PRODUCT):
        for fault in EACH_CLASS:
            if not (path == PRODUCT and fault in A_DOCUMENT):
                yield path, fault


@pytest.mark.parametrize(("path", "fault"), list(reads()))
def test_a_fault_of_a_read_loses_nothing(front: Front, path: str, fault: str) -> None:
    """Outages are asked again, other answers end the login; whatever happens, the login is submitted once in all."""
    world, config, first, _ = met(front, path, fault)
    assert_healed(world, front, config, first)
    assert world.count(CONNECT) == world.count(EXCHANGE) == 1


@pytest.mark.parametrize("path", FOR_EVER)
@pytest.mark.parametrize("fault", ["reset", "slow_body", "http_502", "large_error", "gzip_cut"])
def test_an_outage_that_stays_is_given_up(front: Front, path: str, fault: str) -> None:
    """Four times, with growing pauses, then the login fails with the code of the fault; the next sync is complete."""
    world = WiredWorld(front, sizes=SMALL)
    front.arm(fault, path, times=10_000)
    config = config_of(world)
    first = world.read(config)
    row = FOR_EVER[path]
    assert_row(first, row, EFFECTS[fault][1] if row.reason is None else row.reason)
    assert world.count(path) == row.asked
    assert world.seconds() < 20
    assert_healed(world, front, config, first)
    assert world.count(CONNECT) == 1


BEFORE = {CREATE: KEYS, CONNECT: CREATE, EXCHANGE: CONNECT, STATUS: EXCHANGE, PRODUCT: STATUS}
"""What is asked just before an endpoint."""


@pytest.mark.parametrize("path", BEFORE)
def test_a_refused_connection_loses_nothing(front: Front, path: str) -> None:
    """From one request on nothing listens: a login that could not be sent is not counted as submitted."""
    world = WiredWorld(front, sizes=SMALL)
    config = config_of(world)
    front.refuse_after(BEFORE[path])
    first = world.read(config)
    once = path in (CONNECT, EXCHANGE)
    assert_row(first, Row(0, "failed", "provider", CONFIG if once else TRANSIENT), "UNREACHABLE")
    assert world.count(path) == 0
    assert_healed(world, front, config, first)
    assert world.count(CONNECT) == (2 if path == EXCHANGE else 1)


@pytest.mark.parametrize("fault", EACH_CLASS)
def test_a_fault_of_a_refresh_costs_no_data(front: Front, fault: str) -> None:
    """A refresh is a login at the utility: never sent twice in a run, and the bills that are there arrive."""
    world = WiredWorld(front, sizes=SMALL)
    token = world.backend.link("instant", days_ago=60)
    connection = {"method": "access_token", "access_token": token, "key": "site"}
    config = world.config(connection=connection, refresh_after_days=30, data_timeout_minutes=MINUTES)
    front.arm(fault, REFRESH)
    sync = world.read(config)
    effect, reason = EFFECTS[fault]
    row = REFRESHES[effect]
    assert_row(sync, row, reason if row.reason is None else row.reason)
    assert world.count(REFRESH) == row.asked
    assert bills(sync) == (set() if effect is Effect.HELD else all_bills())
    assert world.seconds() <= MINUTES * 60 + 1
    assert_healed(world, front, config, sync)


@pytest.mark.parametrize("fault", EACH_CLASS)
def test_a_fault_of_the_look_up_of_a_form_is_no_submission(front: Front, fault: str) -> None:
    """The names of a utility's fields are asked for between two forms of one login, of which none has arrived yet."""
    world = WiredWorld(front, sizes=SMALL)
    front.arm(fault, SOURCES)
    config = config_of(world, "flat_refused")
    first = world.read(config)
    row, reason = ROWS[CREATE][EFFECTS[fault][0]], EFFECTS[fault][1]
    assert_row(first, row, "" if row.status == "ready" else reason)
    assert world.count(SOURCES) == row.asked
    assert world.backend.submissions("flat_refused") == (row.status == "ready")
    front.disarm()
    second = world.read(first.config or config, state=first.states)
    assert second.row("site")["status"] == "ready"
    assert world.backend.submissions("flat_refused") == 1


async def file_of(front: Front, world: WiredWorld, token: str, statement_id: str) -> StatementFile:
    """Ask for the file of a bill over real sockets, with short limits of time only where the front is slow."""
    new_transport = world.hasty_transport if front.is_slow(FILE) else HttpTransport
    with closing(new_transport(parse_config(config_of(world)))) as send:
        return await Api(send, RateLimit(100)).statement_file(token, statement_id)


@pytest.mark.parametrize(
    "fault", [*(fault for fault in EACH_CLASS if fault not in NO_FILES), "bomb", "silent", "reset"]
)
def test_a_fault_of_a_file_is_told_and_costs_this_file_alone(front: Front, fault: str) -> None:
    """One request each; the next one brings the file, whole."""
    world = WiredWorld(front, sizes=SMALL)
    token = world.backend.link("instant")
    bill = world.backend.document("instant")["accounts"][0]["statements"][0]
    front.arm(fault, FILE)
    effect, reason = EFFECTS[fault]
    if effect is Effect.FINE:
        assert asyncio.run(file_of(front, world, token, bill["statement_id"])).content == pdf_of(bill)
    else:
        with pytest.raises(Problem) as caught:
            asyncio.run(file_of(front, world, token, bill["statement_id"]))
        assert (caught.value.reason, caught.value.meaning.then) == (reason, FILES[effect])
    assert world.count(FILE) == 1
    found = asyncio.run(file_of(front, world, token, bill["statement_id"]))
    assert (found.content, found.content_type) == (pdf_of(bill), "application/pdf")
    assert front.elsewhere.seen == []


@pytest.mark.parametrize("fault", [fault for fault in EACH_CLASS if fault not in A_DOCUMENT])
@pytest.mark.parametrize("path", [KEYS, PRODUCT])
def test_what_was_read_before_stays(front: Front, path: str, fault: str) -> None:
    """A fault in a later sync: the state goes on from the one before, and the next sync sends what is new, once."""
    world = WiredWorld(front, sizes=SMALL)
    config = config_of(world, "growing")
    first = world.read(config)
    config = first.config or config
    front.arm(fault, path, times=10_000 if EFFECTS[fault][0] is Effect.DOWN else 1)
    second = world.read(config, state=first.states)
    front.disarm()
    third = world.read(second.config or config, state=second.states)
    assert third.error is None
    new = [bills(sync) for sync in (first, second, third)]
    assert new[2]
    assert len(new[0]) + len(new[1]) + len(new[2]) == len(new[0] | new[1] | new[2])
    assert world.count(CONNECT) == 1


JUMPS = {"a day back": -DAY, "a month back": -30 * DAY, "a second back": -1.0, "a month on": 30 * DAY}


@pytest.mark.parametrize("seconds", JUMPS.values(), ids=JUMPS)
@pytest.mark.parametrize("moment", ["between", "within"])
def test_a_clock_that_is_set_loses_nothing(front: Front, moment: str, seconds: float) -> None:
    """Between two syncs or in the middle of one: everything arrives, nothing is linked again, the cursor only grows."""
    world = WiredWorld(front, sizes=SMALL)
    first = world.read(config_of(world, "growing"), during=lambda: world.step_clock(seconds * (moment == "within")))
    world.step_clock(seconds * (moment == "between"))
    second = world.read(first.config or {}, state=first.states)
    assert (first.error, second.error) == (None, None)
    assert world.count(CONNECT) == world.count(EXCHANGE) == 1
    assert bills(first)
    assert bills(second) - bills(first)
    assert first.row("site")["observed_at"] < second.row("site")["observed_at"]


def test_a_clock_that_is_set_back_opens_no_way_around_the_limit(front: Front) -> None:
    """Two lost submissions stay two of the last day, even if they now lie in the future."""
    world = WiredWorld(front, sizes=SMALL)
    config = config_of(world)
    for _ in range(2):
        front.arm("http_502", CONNECT, processed=True)
        config = world.read(config).config or config
    world.step_clock(-10 * DAY)
    assert world.read(config).row("site")["reason"] == "SUBMITTED_TWICE"
    assert world.backend.submissions("instant") == world.count(CONNECT) == 2


def full_disk() -> IO[bytes]:
    """Return a file on a disk that is full: the device that always is."""
    return Path("/dev/full").open("r+b")


def test_no_room_for_a_document_is_told_and_costs_the_other_logins_nothing() -> None:
    """Asked again while others may free the room; then a row that says what to do, and the sync goes on."""
    with Front(setting=Setting(size=IN_MEMORY + 2**20)) as front:
        world = WiredWorld(front, sizes=SMALL, new_file=full_disk)
        tokens = {name: world.backend.link(f"instant+{name}") for name in ("large", "small")}
        config = world.fleet([{"key": key, "access_token": token} for key, token in tokens.items()], api_url=front.url)
        front.arm("bulk", PRODUCT, times=7)  # four of one login, three of the other
        sync = world.read(config)
        ends = {row["connection_key"]: (row["status"], row.get("reason")) for row in sync.rows("connections")}
        assert sorted(ends.values(), key=str) == [("failed", "NO_TEMPORARY_SPACE"), ("ready", None)]
        (message,) = [row["message"] for row in sync.rows("connections") if row["status"] == "failed"]
        assert "or set TMPDIR" in message
        assert sync.error is None


@pytest.mark.parametrize(
    ("path", "hanging", "rate"), [(CONTEXT, 20, 100), (PRODUCT, 20, 100), (PRODUCT, 16, 20), (PRODUCT, 5, 5)]
)
def test_logins_whose_requests_hang_do_not_stop_the_others(path: str, hanging: int, rate: int, tmp_path: Path) -> None:
    """These requests get no byte until the deadline; every other login is delivered before it.

    As many as there are places for documents at that rate, and more.
    """
    with Front() as front:
        logins = [{"key": f"{n}", "access_token": front.backend.link(f"instant+{n}")} for n in range(hanging + 5)]
        front.arm("silent", path, times=hanging)
        config = fleet_at(front, *logins, data_timeout_minutes=0.12, max_requests_per_second=rate)
        run = Connector(tmp_path).read(config)
    counts = Counter((row["status"], row.get("reason")) for row in run.rows("connections"))
    assert counts == {("failed", "TIMEOUT"): hanging, ("ready", None): 5}
    assert len({row["connection_key"] for row in run.rows("accounts")}) == 5


@pytest.mark.parametrize("fault", ["chunks_negative", "length_absurd", "odd_header", "closed_in_headers"])
def test_an_odd_answer_ends_no_sync_and_leaves_no_traceback(fault: str, tmp_path: Path) -> None:
    """At the test of the keys, at a status and at a document: every login is delivered, and nothing odd is said."""
    with Front() as front:
        logins = [{"key": f"{n}", "access_token": front.backend.link(f"instant+{n}")} for n in range(3)]
        for path in (KEYS, CONTEXT) if fault == "length_absurd" else (KEYS, CONTEXT, PRODUCT):
            front.arm(fault, path)
        run = Connector(tmp_path).read(fleet_at(front, *logins))
    assert {row["status"] for row in run.rows("connections")} == {"ready"}
    assert len(run.states) == len(ALL_STREAMS)
    assert (run.code, run.errors, run.stderr) == (0, [], "")
    assert "Traceback" not in run.stdout
    assert "of-somebody" not in run.stdout
