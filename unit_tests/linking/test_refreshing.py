"""Refreshes in whole runs: a refresh is a login at the utility, and what it cannot bring the old data still does."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

import pytest
from airbyte_cdk.models import FailureType

from linkless_simulator.answers import Fault
from linkless_simulator.situations import EXTRACTING, FAILED_WITH_DATA, READY, working
from linkless_simulator.stages import Seconds, Situation, Stage
from linkless_simulator.story import Story
from testing.worlds import Sync, World, catalog_of

REFRESH, CONTEXT, CONNECT, PRODUCT = (
    "/connection/refresh",
    "/connection/context",
    "/link/connect",
    "/sustainability/get",
)
CONFIG, TRANSIENT = FailureType.config_error, FailureType.transient_error
HOURS = 3600.0
DAY = 24 * HOURS


@pytest.fixture
def world() -> World:
    """Make a world."""
    return World()


def owned(world: World, story: str | Story, *, days_ago: float = 40, **options: Any) -> dict[str, Any]:
    """Return a configuration with the token of a connection whose last session was some days ago."""
    token = world.backend.link("site", story, days_ago=days_ago)
    connection = {"method": "access_token", "access_token": token, "key": "site"}
    return world.config(connection=connection, **({"refresh_after_days": 30} | options))


def ended(sync: Sync) -> tuple[str, str | None]:
    """Return status and reason of the login."""
    row = sync.row("site")
    return row["status"], row.get("reason")


def link(config: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what the links say of the login."""
    assert config is not None
    return dict(json.loads(config["links"])["connections"]["site"])


@pytest.mark.parametrize(
    ("days_ago", "options", "expected"),
    [
        (30.1, {}, 1),
        (29.9, {}, 0),
        (2, {"refresh_after_days": 1}, 1),
        (3000, {"refresh_after_days": None}, 0),
    ],
)
def test_an_old_session_is_refreshed(world: World, days_ago: float, options: dict[str, Any], expected: int) -> None:
    """Once, before its data is asked for, and only where the user wants it."""
    sync = world.read(owned(world, "instant", days_ago=days_ago, **options))
    assert ended(sync) == ("ready", None)
    assert world.count(REFRESH) == expected
    paths = [entry.path for entry in world.backend.journal if entry.path in (REFRESH, PRODUCT)]
    assert paths[:expected] == [REFRESH] * expected


def test_a_refresh_is_written_before_it_is_sent(world: World) -> None:
    """It counts like a submission, for a token of the user's own as well, and the token is not copied."""
    config = owned(world, "instant")
    for message in world.source().read(logging.getLogger("airbyte"), config, catalog_of(), []):
        if message.control is not None and message.control.connectorConfig is not None:
            written = message.control.connectorConfig.config
            assert len(link(written)["submitted"]) == 1
            assert config["connection"]["access_token"] not in written["links"]
            assert world.count(REFRESH) == 0
            break
    else:
        pytest.fail("nothing was written")


def test_the_data_of_the_new_session_is_waited_for(world: World) -> None:
    """What is sent is what the refresh brought, not what was there before."""
    story = Story("Ten minutes", (Stage(READY),), (Stage(EXTRACTING, Seconds(600)), Stage(READY)))
    sync = world.read(owned(world, story))
    assert ended(sync) == ("ready", None)
    assert 600 <= sync.row("site")["waited_seconds"] <= 1.2 * 600
    assert world.count(REFRESH) == 1


def test_refreshes_end_with_the_deadline(world: World) -> None:
    """A session that does not end is waited for by the next run, which does not start another at once."""
    story = Story("For ever", (Stage(READY),), (Stage(EXTRACTING),))
    config = owned(world, story, data_timeout_minutes=10)
    first = world.read(config)
    assert (ended(first), first.failure_type) == (("pending", "PRODUCT_NOT_READY"), TRANSIENT)
    world.read(first.config or {})
    assert world.count(REFRESH) == 1


def test_a_session_that_does_not_end_does_not_cost_the_data_that_is_there(world: World) -> None:
    """At half the time that is left the old data is taken, and the row says that the new is on its way."""
    story = Story("For ever, readable", (Stage(READY),), (Stage(Situation("Connected", "Connected", "ExecutingJob")),))
    sync = world.read(owned(world, story, data_timeout_minutes=10))
    assert (ended(sync), sync.error) == (("ready", "ExecutingJob"), None)
    assert 300 <= sync.row("site")["waited_seconds"] <= 1.05 * 300 + 5
    assert sync.row("site")["message"].startswith("The data of the last good session was delivered. The provider is")


REFUSED = Story("Refresh answers CONNECTION_FAILED", (Stage(READY),), refresh=Fault("CONNECTION_FAILED"))


def test_a_refresh_that_fails_again_and_again_is_sent_twice_a_day(world: World) -> None:
    """The old data is delivered each time, and the row says why it is old."""
    config: Mapping[str, Any] = owned(world, REFUSED)
    for expected in (1, 2, 2):
        sync = world.read(config)
        config = sync.config or config
        assert sync.error is None
        assert world.count(REFRESH) == expected
        assert sync.row("site")["statements_delivered"] > 0
        assert ended(sync) == ("ready", "CONNECTION_FAILED" if sync.config else None)
    world.pass_time(DAY)
    world.read(config)
    assert world.count(REFRESH) == 3


def test_a_refresh_that_did_not_arrive_does_not_count(world: World) -> None:
    """The row says so, the old data is delivered, and the next run may try again."""
    config: Mapping[str, Any] = owned(world, "instant")
    for _ in range(3):
        world.cut(REFRESH, "UNREACHABLE", reached=False)
        sync = world.read(config)
        config = sync.config or config
        assert ended(sync) == ("ready", "UNREACHABLE")
        assert "submitted" not in link(config)
    assert world.count(REFRESH) == 0
    assert ended(world.read(config)) == ("ready", None)
    assert world.count(REFRESH) == 1


def test_a_refresh_without_an_answer_counts(world: World) -> None:
    """It may have reached the utility, and it is not sent again in the same run."""
    world.cut(REFRESH, "TIMEOUT", reached=True)
    sync = world.read(owned(world, "instant"))
    assert (world.count(REFRESH), len(link(sync.config)["submitted"])) == (1, 1)
    assert ended(sync) == ("ready", "TIMEOUT")


@pytest.mark.parametrize(
    ("story", "reason", "message"),
    [
        ("refresh_fails", "Error", "The provider's session at the utility ended in an error."),
        ("refresh_mfa", "MfaCodeTimeout", "The utility asks for a one-time code"),
        ("refresh_refused", "CONNECTION_FAILED", "The provider's session at the utility ended in an error."),
    ],
)
def test_a_refresh_that_fails_leaves_the_old_data(world: World, story: str, reason: str, message: str) -> None:
    """Delivered, with a row that says what stands in the way of newer data."""
    sync = world.read(owned(world, story))
    row = sync.row("site")
    assert (ended(sync), sync.error) == (("ready", reason), None)
    assert row["statements_delivered"] > 0
    assert row["message"].startswith(f"The data of the last good session was delivered. {message}")


@pytest.mark.parametrize(
    ("story", "reason"),
    [
        (Story("Locked", (Stage(READY),), refresh=Fault("CONNECTION_LOCKED")), "CONNECTION_LOCKED"),
        ("refresh_mfa", "MfaCodeTimeout"),
    ],
)
def test_a_refresh_that_needs_a_person_is_not_repeated(world: World, story: str | Story, reason: str) -> None:
    """Not after a year either: another login could lock the account for good."""
    sync = world.read(owned(world, story))
    assert link(sync.config)["refused"] == reason
    world.pass_time(365 * DAY)
    world.read(sync.config or {})
    assert world.count(REFRESH) == 1


@pytest.mark.parametrize(
    "reason", ["InvalidCredentials", "MfaActionRequired", "BlockedByPin", "AccountSelectionRequired"]
)
def test_a_connection_whose_reason_needs_a_person_is_not_refreshed(world: World, reason: str) -> None:
    """However old it is: the row says what the person has to do."""
    sync = world.read(owned(world, Story(reason, (Stage(working(reason)),))))
    assert (ended(sync), sync.failure_type) == (("needs_user", reason), CONFIG)
    assert world.count(REFRESH) == 0


def test_a_login_that_was_just_linked_is_not_refreshed(world: World) -> None:
    """One submission per run, and none of a session that has just begun."""
    config = world.config(username="instant", refresh_after_days=1)
    linked = world.read(config)
    assert ended(linked) == ("ready", None)
    assert world.count(REFRESH) == 0


def test_linking_and_refreshing_share_the_limit(world: World) -> None:
    """A login that was linked and refreshed on one day is not submitted a third time on it."""
    config: Mapping[str, Any] = world.read(world.config(username="error_again")).config or {}
    for hours, expected in ((7.0, 1), (7.0, 1), (10.1, 2)):
        world.pass_time(hours * HOURS)
        config = world.read(config).config or config
        assert (world.count(CONNECT), world.count(REFRESH)) == (1, expected)


@pytest.mark.parametrize(("hours", "expected"), [(5.9, ("failed", "CONNECTION_FAILED")), (6.1, ("ready", None))])
def test_a_session_that_ended_in_an_error_is_repeated_after_six_hours(
    world: World, hours: float, expected: tuple[str, str | None]
) -> None:
    """Not sooner, once in a run, and without being asked for: an error may be gone the next day."""
    first = world.read(world.config(username="error"))
    assert (ended(first), first.failure_type) == (("failed", "Error"), CONFIG)
    world.pass_time(hours * HOURS)
    second = world.read(first.config or {})
    assert ended(second) == expected
    assert world.count(REFRESH) == (expected[0] == "ready")
    assert world.count(CONNECT) == 1


@pytest.mark.parametrize("days_ago", [0.2, 0.3])
def test_a_connection_that_is_not_ready_because_of_an_error_is_repeated_too(world: World, days_ago: float) -> None:
    """Where the product only says "not ready", the health of the connection tells of the error."""
    story = Story("Error behind a not ready", (Stage(working("Error")),))
    sync = world.read(owned(world, story, days_ago=days_ago, refresh_after_days=None))
    assert world.count(REFRESH) == (days_ago > 0.25)
    assert ended(sync) == (("ready", None) if days_ago > 0.25 else ("failed", "Error"))


def test_an_error_that_stays_is_repeated_once_in_a_run(world: World) -> None:
    """The login then ends with the provider's reason code."""
    sync = world.read(owned(world, "error_again", refresh_after_days=None))
    assert (ended(sync), sync.failure_type) == (("failed", "CONNECTION_FAILED"), CONFIG)
    assert world.count(REFRESH) == 1


def test_an_error_with_data_is_delivered_and_not_repeated(world: World) -> None:
    """There is no hole; the row says that the next bills are in danger."""
    sync = world.read(owned(world, Story("Error, with data", (Stage(FAILED_WITH_DATA),)), refresh_after_days=None))
    assert ended(sync) == ("ready", "Error")
    assert world.count(REFRESH) == 0


@pytest.mark.parametrize("status", [404, 410, 403])
def test_a_provider_that_does_not_tell_the_health_costs_only_the_facts(world: World, status: int) -> None:
    """The data is delivered; without an age nothing is refreshed."""
    world.backend.fail_next(CONTEXT, status, body=b"gone", times=10)
    sync = world.read(owned(world, "instant"))
    assert ended(sync) == ("ready", None)
    assert "accounts_expected" not in sync.row("site")
    assert world.count(REFRESH) == 0


def test_a_health_that_is_told_in_another_layout_costs_no_refresh(world: World) -> None:
    """A time that cannot be read is no age."""
    body = json.dumps({"connection_status": "Connected", "connection_status_timestamp": "11/22/2020 12:00:00 PM"})
    world.backend.fail_next(CONTEXT, 200, body=body.encode(), times=10)
    assert ended(world.read(owned(world, "instant"))) == ("ready", None)
    assert world.count(REFRESH) == 0


def test_a_401_of_the_health_is_the_connection_s_own(world: World) -> None:
    """The keys are proven good, so only this token is at fault."""
    world.backend.fail_next(CONTEXT, 401)
    sync = world.read(owned(world, "instant"))
    assert (ended(sync), sync.failure_type) == (("failed", "HTTP_401"), CONFIG)
    assert world.count("/test/api_keys") == 2
