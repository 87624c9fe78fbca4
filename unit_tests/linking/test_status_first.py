"""A sync of a login that has its token: the status before the data, and product polls that back off."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from typing import Any

import pytest
from airbyte_cdk.models import FailureType

from linkless_simulator.answers import Fault
from linkless_simulator.situations import CONNECTING, EXTRACTING, FAILED, READY, REFUSED, working
from linkless_simulator.stages import Seconds, Situation, Stage
from linkless_simulator.story import Story
from testing.worlds import Sync, World

CONTEXT, PRODUCT, STATUS = "/connection/context", "/sustainability/get", "/link/connection/status"
EXCHANGE = "/connection/public_token/exchange"
WITH_ID = ("sustainability", "accounts", "connections")


@pytest.fixture
def world() -> World:
    """Make a world."""
    return World()


def owned(world: World, story: str | Story, **options: Any) -> dict[str, Any]:
    """Return a configuration with the token of a connection that exists already."""
    token = world.backend.link("site", story, days_ago=1)
    return world.config(connection={"method": "access_token", "access_token": token, "key": "site"}, **options)


def paths(world: World) -> list[str]:
    """Return the paths that were asked, in order, without the test of the keys."""
    return [entry.path for entry in world.backend.journal if entry.path != "/test/api_keys"]


def moments(world: World, path: str) -> list[float]:
    """Return when a path was asked."""
    return [entry.at for entry in world.backend.journal if entry.path == path]


def ended(sync: Sync) -> tuple[str, str | None]:
    """Return status and reason of the login."""
    row = sync.row("site")
    return row["status"], row.get("reason")


def ids(sync: Sync) -> dict[str, set[str | None]]:
    """Return the values of `connection_id` in each stream that has it."""
    return {stream: {row.get("connection_id") for row in sync.rows(stream)} for stream in WITH_ID}


def test_a_ready_login_costs_its_status_and_its_document(world: World) -> None:
    """The status told before the document is enough for the row of the login."""
    sync = world.read(owned(world, "instant"))
    assert paths(world) == [CONTEXT, PRODUCT]
    assert ended(sync) == ("ready", None)
    assert sync.row("site")["accounts_expected"] == sync.row("site")["accounts_delivered"]


@pytest.mark.parametrize("interval", [2.0, 5.0])
def test_a_login_that_is_still_connecting_is_polled_for_its_status_alone(world: World, interval: float) -> None:
    """Every `poll_interval_seconds`; the product is asked once the connection is there."""
    story = Story("A minute", (Stage(CONNECTING, Seconds(60)), Stage(EXTRACTING, Seconds(1)), Stage(READY)))
    world.backend.tell("site", story)
    config = world.config(username="site", check_timeout_seconds=10, poll_interval_seconds=interval)
    kept = world.checked(config)
    before = len(world.backend.journal)
    sync = world.read(kept)
    asked = [(entry.path, entry.at) for entry in world.backend.journal[before:] if entry.path in (CONTEXT, PRODUCT)]
    polls = [at for path, at in asked if path == CONTEXT]
    assert {round(later - earlier, 6) for earlier, later in itertools.pairwise(polls)} <= {interval, 0.0}
    first_product = min(at for path, at in asked if path == PRODUCT)
    assert len([at for at in polls if at <= first_product]) > 50 / interval
    assert first_product >= 60
    assert ended(sync) == ("ready", None)


@pytest.mark.parametrize("waits", [3_600.0])
def test_a_login_that_takes_an_hour_is_asked_at_most_150_times(world: World, waits: float) -> None:
    """One login alone backs off as well."""
    story = Story("An hour", (Stage(EXTRACTING, Seconds(waits)), Stage(READY)))
    sync = world.read(owned(world, story, data_timeout_minutes=90))
    assert ended(sync) == ("ready", None)
    assert world.count(PRODUCT) <= 150
    assert moments(world, PRODUCT)[-1] - moments(world, PRODUCT)[0] <= 1.05 * waits + 5


@pytest.mark.parametrize(
    ("story", "expected", "asked"),
    [
        (Story("Nothing there", (Stage(working("NoDataFound")),)), ("no_data", "NoDataFound"), 1),
        (Story("A code", (Stage(working("MfaCodeRequired")),)), ("needs_user", "MfaCodeRequired"), 1),
        (Story("Refused", (Stage(REFUSED),)), ("needs_user", "INVALID_CREDENTIALS"), 1),
        (Story("Pin", (Stage(working("BlockedByPin")),)), ("needs_user", "BlockedByPin"), 1),
        (Story("Error", (Stage(FAILED),)), ("failed", "CONNECTION_FAILED"), 1),
        (Story("Not yet", (Stage(Situation("New", "New", "New", Fault("PRODUCT_NOT_READY"))),)), ("pending", "New"), 0),
    ],
    ids=["no data", "code", "refused", "pin", "error", "new"],
)
def test_what_the_status_tells_is_not_polled_for(
    world: World, story: Story, expected: tuple[str, str], asked: int
) -> None:
    """A login that is over or needs a person is asked for data once at most; one in progress not at all."""
    token = world.backend.link("site", story, days_ago=0.1)
    connection = {"method": "access_token", "access_token": token, "key": "site"}
    sync = world.read(world.config(connection=connection, data_timeout_minutes=5))
    assert (ended(sync), world.count(PRODUCT)) == (expected, asked)


def test_data_of_a_login_that_needs_a_person_is_delivered(world: World) -> None:
    """What an earlier session brought is still there; the row says what stands in the way of newer data."""
    with_data = Situation("Connected", "Disconnected", "MfaCodeTimeout")
    sync = world.read(owned(world, Story("Data, and a code", (Stage(with_data),))))
    assert ended(sync) == ("ready", "MfaCodeTimeout")
    assert paths(world) == [CONTEXT, PRODUCT]


@pytest.mark.parametrize("status", [404, 410])
def test_without_the_status_the_product_is_asked(world: World, status: int) -> None:
    """A provider that does not have that endpoint costs the facts of the row, and no third request."""
    world.backend.fail_next(CONTEXT, status, times=99, body=b"Not Found")
    assert ended(world.read(owned(world, "instant"))) == ("ready", None)
    assert paths(world) == [CONTEXT, PRODUCT]


@pytest.mark.parametrize("status", [404, 410])
def test_without_the_status_a_wait_goes_on(world: World, status: int) -> None:
    """The product is polled until the data is there."""
    world.backend.fail_next(CONTEXT, status, times=99, body=b"Not Found")
    story = Story("A minute", (Stage(EXTRACTING, Seconds(60)), Stage(READY)))
    assert ended(world.read(owned(world, story))) == ("ready", None)


def test_a_document_with_fewer_accounts_than_promised_has_the_status_asked_again(world: World) -> None:
    """The provider may have more, or may have corrected its promise, since."""
    token = world.backend.link("site", "partial")
    connection = {"method": "access_token", "access_token": token, "key": "site"}
    sync = world.read(world.config(connection=connection))
    assert paths(world) == [CONTEXT, PRODUCT, CONTEXT]
    assert ended(sync) == ("ready", "PARTIAL_ACCOUNTS")


def test_the_wait_of_a_pending_login_is_told_with_the_provider_s_reason(world: World) -> None:
    """A connection that is still connecting at the deadline is pending, as while linking."""
    sync = world.read(owned(world, Story("Connecting", (Stage(CONNECTING),)), data_timeout_minutes=5))
    assert (ended(sync), sync.failure_type) == (("pending", "Connecting"), FailureType.transient_error)
    assert (world.count(PRODUCT), world.count(CONTEXT)) == (0, 60)


@pytest.mark.parametrize("story", ["instant", "user_good"])
def test_every_stream_has_the_connection_id_from_the_first_record_on(world: World, story: str) -> None:
    """Of a login that was linked in this run, and of a token of the user's own."""
    linked = ids(world.read(world.config(username=story)))
    pasted = ids(world.read(owned(world, story)))
    for found in (linked, pasted):
        (one,) = {value for values in found.values() for value in values}
        assert one is not None
        assert all(values == {one} for values in found.values())


def test_the_connection_id_is_remembered_with_the_token(world: World) -> None:
    """So that a later run has it even where the status cannot be asked."""
    first = world.read(world.config(username="instant"))
    assert first.config is not None
    (link,) = json.loads(first.config["links"])["connections"].values()
    assert {link["connection_id"]} == ids(first)["accounts"]
    world.backend.fail_next(CONTEXT, 404, times=99)
    second = world.read(first.config)
    assert ids(second) == ids(first)
    assert second.config is None


def test_a_connection_id_that_is_learnt_later_sends_no_row_again(world: World) -> None:
    """An entry without the id gains it from the status; the document is unchanged, so nothing is sent again."""
    first = world.read(world.config(username="instant"))
    assert first.config is not None
    links = json.loads(first.config["links"])
    known = links["connections"]["site"].pop("connection_id")
    second = world.read({**first.config, "links": json.dumps(links)}, state=first.states)
    assert Counter(message.record.stream for message in second.messages if message.record) == {"connections": 1}
    assert second.row("site")["connection_id"] == known
    assert second.config is not None
    assert json.loads(second.config["links"])["connections"]["site"]["connection_id"] == known


def test_without_an_id_from_the_exchange_the_status_tells_it_before_the_first_record(world: World) -> None:
    """One look before the document instead of one after it."""
    world.leave_out(EXCHANGE, "connection_id")
    sync = world.read(world.config(username="instant"))
    found = ids(sync)
    assert None not in found["accounts"] | found["sustainability"]
    assert found["accounts"] == found["connections"]
    assert world.count(CONTEXT) == 1
