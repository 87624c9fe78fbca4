"""A hole in the data never looks like success: report and fail, tables that are replaced, the one error that names all.

One process, virtual time; the exit code follows from the error (test_outcomes shows it on whole processes).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import pytest
from airbyte_cdk.models import DestinationSyncMode, FailureType, SyncMode

from testing.worlds import ALL_STREAMS, Sync, World, catalog_of

CONFIG, TRANSIENT, SYSTEM = FailureType.config_error, FailureType.transient_error, FailureType.system_error
FULL, INCREMENTAL = SyncMode.full_refresh, SyncMode.incremental
OVERWRITE, APPEND, DEDUP = DestinationSyncMode.overwrite, DestinationSyncMode.append, DestinationSyncMode.append_dedup
PRODUCT = "/sustainability/get"
DOCUMENT_STREAMS = [name for name in ALL_STREAMS if name != "connections"]


def ends_of(sync: Sync) -> dict[str, str]:
    """Return the last status of every stream."""
    return {stream: sync.statuses(stream)[-1] for stream in ALL_STREAMS}


def all_but_connections(status: str) -> dict[str, str]:
    """Return that every stream ended with `status`, but `connections`, which is always whole."""
    return {stream: "COMPLETE" if stream == "connections" else status for stream in ALL_STREAMS}


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warning lines of the connector."""
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_a_hole_is_reported_and_the_sync_succeeds(caplog: pytest.LogCaptureFixture) -> None:
    """By default a failing login is a row and one warning; everything else arrives and is COMPLETE."""
    world = World()
    sync = world.read(world.fleet(["instant", "wrong_password"]))
    assert sync.error is None
    assert ends_of(sync) == all_but_connections("COMPLETE")
    assert {row["connection_key"]: row["status"] for row in sync.rows("connections")} == {
        "instant": "ready",
        "wrong_password": "needs_user",
    }
    (warning,) = [line for line in warnings(caplog) if line.startswith("wrong_password: ")]
    assert warning == f"wrong_password: InvalidCredentials. {sync.row('wrong_password')['message']}"


def test_a_hole_fails_the_sync_of_a_user_who_wants_that() -> None:
    """With "fail" the same sync ends INCOMPLETE and with an error, after everything that arrived was sent."""
    world = World()
    sync = world.read(world.fleet(["instant", "wrong_password"], failed_connections="fail"))
    assert sync.failure_type is CONFIG
    assert ends_of(sync) == all_but_connections("INCOMPLETE")
    assert {row["connection_key"] for row in sync.rows("statements")} == {"instant"}
    assert len(sync.states) == len(ALL_STREAMS)


def test_a_login_without_bills_is_a_result(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing to deliver fails nothing, not even where every hole fails a sync; it is told."""
    world = World()
    sync = world.read(world.fleet(["no_accounts", "empty"], failed_connections="fail"))
    assert sync.error is None
    assert ends_of(sync) == all_but_connections("COMPLETE")
    assert {line.split(":")[0] for line in warnings(caplog)} == {"no_accounts", "empty"}


def test_a_sync_in_which_no_login_worked_fails() -> None:
    """Reporting is for holes beside data: nothing at all is an error."""
    world = World()
    assert world.read(world.fleet(["locked", "wrong_password"])).failure_type is CONFIG


@pytest.mark.parametrize(
    ("logins", "failure"),
    [
        (["unknown_code", "wrong_password", "never_ready"], TRANSIENT),
        (["unknown_code", "wrong_password", "outage"], TRANSIENT),
        (["unknown_code", "wrong_password"], CONFIG),
        (["unknown_code", "broken"], SYSTEM),
        (["wrong_password", "connection_failed"], CONFIG),
    ],
)
def test_the_error_is_transient_if_any_hole_is(logins: list[str], failure: FailureType) -> None:
    """The platform decides by the one error whether it repeats the sync: it should if that heals anything."""
    world = World()
    sync = world.read(world.fleet(["instant", *logins], failed_connections="fail", data_timeout_minutes=1))
    assert sync.failure_type is failure


def test_one_error_names_every_hole_with_its_next_step() -> None:
    """A user reads each login once, with the provider's word and what to do; logins with the same step share a line."""
    world = World()
    logins = ["instant", "wrong_password+1", "wrong_password+2", "captcha", "never_ready"]
    sync = world.read(world.fleet(logins, failed_connections="fail", data_timeout_minutes=1))
    assert sync.error is not None
    head, *lines = str(sync.error.message).split("\n")
    assert head == "4 of 5 logins could not be read completely."
    assert sorted(lines) == [
        f"captcha: Captcha. {sync.row('captcha')['message']}",
        f"never_ready: PRODUCT_NOT_READY. {sync.row('never_ready')['message']}",
        f"wrong_password+1, wrong_password+2: InvalidCredentials. {sync.row('wrong_password+1')['message']}",
    ]


def test_many_holes_are_told_in_fifty_lines_and_a_count(caplog: pytest.LogCaptureFixture) -> None:
    """Sixty refused logins give fifty warnings and one with the number of the others; the rows name all of them."""
    world = World()
    bad = [f"wrong_password+{number}" for number in range(60)]
    sync = world.read(world.fleet(["instant+17", *bad]))
    assert sync.error is None
    assert len([row for row in sync.rows("connections") if row["status"] == "needs_user"]) == 60
    *named, last = warnings(caplog)
    assert len({line for line in named if "InvalidCredentials" in line}) == len(named) == 50
    assert last.startswith("10 more ")


@pytest.mark.parametrize(
    ("mode", "destination", "generations", "is_replaced"),
    [
        (FULL, OVERWRITE, {}, True),
        (FULL, APPEND, {}, False),
        (INCREMENTAL, DEDUP, {}, False),
        (INCREMENTAL, OVERWRITE, {}, False),  # what PyAirbyte sends for everything
        (FULL, OVERWRITE, {"generation_id": 4, "minimum_generation_id": 4}, True),
        (FULL, APPEND, {"generation_id": 4, "minimum_generation_id": 4}, True),  # the platform hides overwrite so
        (INCREMENTAL, DEDUP, {"generation_id": 4, "minimum_generation_id": 4}, True),  # refresh and remove
        (INCREMENTAL, DEDUP, {"generation_id": 4, "minimum_generation_id": 0}, False),  # refresh and retain
        (INCREMENTAL, DEDUP, {"generation_id": 0, "minimum_generation_id": 0}, False),
        (FULL, OVERWRITE, {"generation_id": 4, "minimum_generation_id": 0}, False),  # generations have the last word
        (FULL, OVERWRITE, {"generation_id": 4, "minimum_generation_id": 3}, False),
    ],
)
def test_a_hole_protects_the_tables_that_would_be_replaced(
    mode: SyncMode, destination: DestinationSyncMode, generations: Mapping[str, int], *, is_replaced: bool
) -> None:
    """Rows of a failing login would vanish from a replaced table: only a failure keeps the old table."""
    world = World()
    whole: dict[str, Any] = {**generations, "sync_id": 1} if generations else {}
    sync = world.read(
        world.fleet(["instant", "wrong_password"]), catalog=catalog_of(ALL_STREAMS, mode, destination, **whole)
    )
    assert ends_of(sync) == all_but_connections("INCOMPLETE" if is_replaced else "COMPLETE")
    assert {row["connection_key"] for row in sync.rows("statements")} == {"instant"}
    assert (sync.failure_type is CONFIG) == is_replaced
    if is_replaced:
        assert f"The tables that this sync replaces ({', '.join(DOCUMENT_STREAMS)})" in str(sync.error)


def test_a_hole_never_harms_the_table_of_connections() -> None:
    """Its rows are all there whatever happens: replacing it alone is no reason to fail."""
    world = World()
    sync = world.read(world.fleet(["instant", "wrong_password"]), catalog=catalog_of(["connections"], FULL, OVERWRITE))
    assert sync.error is None
    assert sync.statuses("connections") == ["STARTED", "RUNNING", "COMPLETE"]


def test_missing_accounts_are_a_hole_for_replaced_tables_only(caplog: pytest.LogCaptureFixture) -> None:
    """Fewer accounts than promised: a warning where rows stay, an error where they would be deleted."""
    world = World()
    config = world.fleet(["instant", "partial"], failed_connections="fail")
    assert world.read(config).error is None
    assert [line.split(".")[0] for line in warnings(caplog) if line.startswith("partial")] == [
        "partial: PARTIAL_ACCOUNTS"
    ]
    replaced = World().read(config, catalog=catalog_of(ALL_STREAMS, FULL, OVERWRITE))
    assert replaced.error is not None
    assert "partial: PARTIAL_ACCOUNTS. The provider delivered 2 of 3 accounts" in str(replaced.error.message)
    assert ends_of(replaced) == all_but_connections("INCOMPLETE")
    assert {row["connection_key"] for row in replaced.rows("accounts")} == {"instant", "partial"}


@pytest.mark.parametrize("code", ["NO_ACCOUNTS", "NO_STATEMENTS"])
def test_bills_that_are_suddenly_gone_are_a_hole_for_replaced_tables_only(code: str) -> None:
    """A login that had rows and now has none would lose them all in a replaced table."""
    world = World()
    first = world.read(world.fleet(["instant+1", "instant+2"]))
    assert first.config is not None
    refresh = catalog_of(generation_id=2, minimum_generation_id=2, sync_id=1)
    ends = []
    for catalog in (catalog_of(), refresh):
        world.backend.fail_next(PRODUCT, 400, code=code)
        ends.append(world.read(first.config, catalog=catalog, state=first.states))
    kept, replaced = ends
    assert kept.error is None
    assert ends_of(kept) == all_but_connections("COMPLETE")
    assert ends_of(replaced) == all_but_connections("INCOMPLETE")
    assert f"{code}. The utility shows no accounts or bills for this login." in str(replaced.error)


def test_no_bills_from_the_beginning_are_no_hole() -> None:
    """Where no rows were sent before, a replaced table loses nothing."""
    world = World()
    sync = world.read(world.fleet(["instant", "no_accounts"]), catalog=catalog_of(ALL_STREAMS, FULL, OVERWRITE))
    assert sync.error is None
    assert ends_of(sync) == all_but_connections("COMPLETE")


def test_the_deadline_leaves_rows_that_are_pending_and_data_that_is_whole() -> None:
    """Beside a login that is ready the waiting ones are reported; without one the sync is to be repeated."""
    world = World()
    slow = ["never_ready", "never_connects"]
    some = world.read(world.fleet(["user_good", *slow], data_timeout_minutes=2))
    assert some.error is None
    assert {row["connection_key"]: row["status"] for row in some.rows("connections")} == {
        "user_good": "ready",
        "never_ready": "pending",
        "never_connects": "pending",
    }
    assert world.seconds() == pytest.approx(120, abs=1)
    none = World().read(world.fleet(slow, data_timeout_minutes=2))
    assert none.failure_type is TRANSIENT
    assert [row["status"] for row in none.rows("connections")] == ["pending", "pending"]
