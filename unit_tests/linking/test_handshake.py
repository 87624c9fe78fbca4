"""The handshake in whole runs: what is written when, what counts as a submission, and what is never sent again."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from airbyte_cdk.models import FailureType

from linkless_simulator.sources import FIELDS_ONLY, ORDINARY, WITH_PIN
from source_linkless.config import Links
from testing.worlds import Sync, World, catalog_of

TOKEN, CONNECT, EXCHANGE = "/link/token/create", "/link/connect", "/connection/public_token/exchange"
STATUS, PRODUCT, SOURCES = "/link/connection/status", "/sustainability/get", "/link/sources"
CONFIG, TRANSIENT, SYSTEM = FailureType.config_error, FailureType.transient_error, FailureType.system_error
HOURS = 3600.0

Config = Mapping[str, Any]


@pytest.fixture
def world() -> World:
    """Make a world."""
    return World()


def connections(config: Config | None) -> dict[str, Any]:
    """Return what the links of a configuration say, by key."""
    assert config is not None
    return dict(json.loads(config["links"])["connections"])


def changed(config: Config, **changes: Any) -> dict[str, Any]:
    """Return a configuration after its user has edited the login."""
    return {**config, "connection": {**config["connection"], **changes}}


def ended(sync: Sync, key: str = "site") -> tuple[str, str | None]:
    """Return status and reason of a login."""
    row = sync.row(key)
    return row["status"], row.get("reason")


def after(sync: Sync, config: Config) -> Config:
    """Return the configuration that the next run starts with."""
    return sync.config or config


def written(world: World, config: Config, note: Callable[[], Any]) -> list[tuple[dict[str, Any], Any]]:
    """Read, and return every write-back with what `note` says at the moment it is seen."""
    return [
        (connections(message.control.connectorConfig.config), note())
        for message in world.source().read(logging.getLogger("airbyte"), config, catalog_of(), [])
        if message.control is not None and message.control.connectorConfig is not None
    ]


def test_a_submission_is_written_before_it_is_sent_and_a_token_before_anything_is_waited_for(world: World) -> None:
    """A run that is killed at any moment has left what the next one needs to know."""
    config = world.config(username="user_good")
    announced, linked = written(world, config, lambda: [world.count(path) for path in (CONNECT, EXCHANGE, STATUS)])
    assert announced[0]["site"]["submitted"] == ["2026-11-22T12:00:00.000000Z"]
    assert "access_token" not in announced[0]["site"]
    assert announced[1] == [0, 0, 0]
    assert linked[0]["site"]["access_token"] == world.masked[-1]
    assert linked[1] == [1, 1, 0]


def test_a_linked_login_is_never_linked_again(world: World) -> None:
    """The second run uses the token and writes nothing."""
    first = world.read(world.config(username="instant"))
    second = world.read(first.config or {})
    assert ended(first) == ended(second) == ("ready", None)
    assert [world.count(path) for path in (TOKEN, CONNECT, EXCHANGE)] == [1, 1, 1]
    assert second.config is None


def test_a_fleet_is_announced_in_one_message(world: World) -> None:
    """Every login is written down as submitted before the first of them is."""
    names = [f"instant+{number}" for number in range(12)]
    messages = written(world, world.fleet(names), lambda: world.count(CONNECT))
    announced, count = messages[0]
    assert count == 0
    assert {key for key, link in announced.items() if link["submitted"]} == set(names)


def test_a_token_is_written_within_a_second() -> None:
    """However many arrive; those that arrive together share a message."""
    world = World(latency=0.3)
    names = [f"user_good+{number}" for number in range(20)]
    messages = written(world, world.fleet(names), world.seconds)
    exchanged = {entry.username: entry.at for entry in world.backend.journal if entry.path == EXCHANGE}
    for name in names:
        at = next(at for links, at in messages if "access_token" in links[name])
        assert at - exchanged[name] <= 1.0
    assert len(messages) < 20


def test_what_the_user_chose_is_asked_for(world: World) -> None:
    """Options that take effect when a login is linked are sent with it; what was not chosen is not sent."""
    world.read(world.config(username="instant+1"))
    world.read(world.config(username="instant+2", auto_refresh=False, parsing_method="FullSustainability"))
    assert world.backend.link_options("instant+1") == {}
    assert world.backend.link_options("instant+2") == {"auto_refresh": False, "parsing_method": "FullSustainability"}


def codes(world: World, path: str) -> list[str | None]:
    """Return the error codes that a path has answered, in order."""
    return [entry.error_code for entry in world.backend.journal if entry.path == path]


def test_the_other_form_is_tried_where_the_flat_one_is_refused(world: World) -> None:
    """The fields are named as the utility names them; nothing reached it before, so that is one submission."""
    sync = world.read(changed(world.config(username="instant"), source_id=FIELDS_ONLY.source_id))
    assert ended(sync) == ("ready", None)
    assert codes(world, CONNECT) == ["VALIDATION_FAILED", None]
    assert world.backend.submissions("instant") == 1
    assert len(connections(sync.config)["site"]["submitted"]) == 1


@pytest.mark.parametrize(
    "sources",
    [
        [],
        [{"source_id": ORDINARY.source_id}],
        [{"fields": None}],
        [{"fields": [{"field_name": "login", "field_type": "Text"}, 7]}],
        [{"fields": [{"field_name": None, "field_type": "Text"}, {"field_name": "p", "field_type": "Password"}]}],
    ],
)
def test_without_names_for_the_fields_the_refusal_stands(world: World, sources: list[Any]) -> None:
    """Nothing is guessed: the user is told to check the fields."""
    world.backend.fail_next("/link/sources", 200, body=json.dumps({"sources": sources}).encode())
    sync = world.read(world.config(username="flat_refused"))
    assert (ended(sync), sync.failure_type) == (("failed", "VALIDATION_FAILED"), CONFIG)
    assert world.count(CONNECT) == 1


def test_login_fields_are_sent_as_they_are(world: World) -> None:
    """A login with a PIN has its fields from the user, in the one form that can carry them."""
    fields = {"customer": "user_good", "password": "pass_good", "pin_code": "1234"}
    login = {"source_id": WITH_PIN.source_id, "login_fields": json.dumps(fields)}
    config = world.config(connection={"method": "login", "key": "site", **login})
    assert ended(world.read(config)) == ("ready", None)
    assert codes(world, CONNECT) == [None]


def test_a_changed_password_updates_the_connection(world: World) -> None:
    """Its token and its id stay, nothing is exchanged, and the next run submits nothing."""
    world.backend.tell("instant", "instant")
    first = world.read(changed(world.config(username="instant"), password="old"))
    config = changed(first.config or {}, password="pass_good", attempt=2)
    second = world.read(config)
    third = world.read(after(second, config))
    assert ended(second) == ended(third) == ("ready", None)
    assert [world.count(path) for path in (CONNECT, EXCHANGE)] == [2, 1]
    assert connections(second.config)["site"]["access_token"] == connections(first.config)["site"]["access_token"]
    assert second.row("site")["connection_id"] == third.row("site")["connection_id"]


def test_an_update_of_a_connection_that_is_gone_links_afresh(world: World) -> None:
    """The password was changed after the provider had dropped the connection: one new submission mends both."""
    config = world.read(world.config(username="instant")).config or {}
    gone = World()
    second = gone.read(changed(config, attempt=2))
    assert ended(second) == ("ready", None)
    assert codes(gone, TOKEN) == ["CONNECTION_NOT_FOUND", None]
    assert [gone.count(path) for path in (CONNECT, EXCHANGE)] == [1, 1]


def test_a_forgotten_token_is_linked_again_within_the_limit(world: World) -> None:
    """Once on the same day; then the row says why not, and a day later it is linked again."""
    first = world.read(world.config(username="forgotten"))
    second = world.read(first.config or {})
    assert ended(first) == ended(second) == ("ready", None)
    assert world.count(CONNECT) == 2
    third = world.read(second.config or {})
    assert (ended(third), third.failure_type) == (("failed", "SUBMITTED_TWICE"), CONFIG)
    assert world.count(CONNECT) == 2
    world.pass_time(24 * HOURS)
    assert ended(world.read(after(third, second.config or {}))) == ("ready", None)
    assert world.count(CONNECT) == 3


@pytest.mark.parametrize(
    ("token", "reason"),
    [("access-sandbox-unknown", "CONNECTION_NOT_FOUND"), ("unknown", "INVALID_ACCESS_TOKEN")],
)
def test_a_token_of_the_user_s_own_is_never_replaced(world: World, token: str, reason: str) -> None:
    """There is no login to submit; the user has to enter another token."""
    sync = world.read(world.config(connection={"method": "access_token", "access_token": token, "key": "site"}))
    assert (ended(sync), sync.failure_type) == (("failed", reason), CONFIG)
    assert (world.count(TOKEN), sync.config) == (0, None)


Plan = Callable[[World], Any]

NOT_SUBMITTED: dict[str, tuple[str, Plan, str, FailureType]] = {
    "connection refused": (
        "instant",
        lambda world: world.cut(CONNECT, "UNREACHABLE", reached=False),
        "UNREACHABLE",
        CONFIG,
    ),
    "401": ("instant", lambda world: world.backend.fail_next(CONNECT, 401), "HTTP_401", CONFIG),
    "a form without its PIN": ("pin", lambda _: None, "VALIDATION_FAILED", CONFIG),
    "unknown utility": ("source_unknown", lambda _: None, "INVALID_SOURCE", CONFIG),
    "endless rate limit": (
        "instant",
        lambda world: world.backend.fail_next(CONNECT, 429, times=99, headers={"retry-after": "5000"}),
        "HTTP_429",
        TRANSIENT,
    ),
    "no form of the utility": (
        "flat_refused",
        lambda world: world.backend.fail_next(SOURCES, 503, times=4),
        "HTTP_503",
        TRANSIENT,
    ),
    "no link token": ("instant", lambda world: world.backend.fail_next(TOKEN, times=4), "HTTP_500", TRANSIENT),
    "no link token in time": (
        "instant",
        lambda world: world.backend.fail_next(TOKEN, 429, times=99, headers={"retry-after": "7200"}),
        "HTTP_429",
        TRANSIENT,
    ),
}


@pytest.mark.parametrize("what", NOT_SUBMITTED)
def test_what_did_not_reach_the_utility_does_not_count(world: World, what: str) -> None:
    """The announcement is taken back, so the login may be submitted whenever the obstacle is gone."""
    username, plan, reason, failure_type = NOT_SUBMITTED[what]
    config: Config = world.config(username=username)
    for _ in range(3):
        plan(world)
        sync = world.read(config)
        config = after(sync, config)
        assert (sync.row("site").get("reason"), sync.failure_type) == (reason, failure_type)
        assert "submitted" not in connections(config)["site"]
    assert world.backend.submissions(username) == 0


SUBMITTED: dict[str, tuple[str, Plan, str, FailureType]] = {
    "no answer": ("instant", lambda world: world.cut(CONNECT, "TIMEOUT", reached=True), "TIMEOUT", CONFIG),
    "connection reset": (
        "instant",
        lambda world: world.cut(CONNECT, "CONNECTION_BROKEN", reached=True),
        "CONNECTION_BROKEN",
        CONFIG,
    ),
    "server error": ("connect_500", lambda _: None, "HTTP_500", CONFIG),
    "maintenance": ("connect_maintenance", lambda _: None, "PLANNED_MAINTENANCE", CONFIG),
    "link session gone": (
        "instant",
        lambda world: world.backend.fail_next(CONNECT, 400, code="INVALID_LINK_TOKEN"),
        "INVALID_LINK_TOKEN",
        CONFIG,
    ),
    "no public token": (
        "instant",
        lambda world: world.backend.fail_next(CONNECT, 200, body=b"{}"),
        "UNEXPECTED_ANSWER",
        SYSTEM,
    ),
    "exchange fails": ("exchange_500", lambda _: None, "HTTP_500", CONFIG),
    "exchange without an answer": (
        "instant",
        lambda world: world.cut(EXCHANGE, "TIMEOUT", reached=True),
        "TIMEOUT",
        CONFIG,
    ),
    "exchange refused": ("exchange_refused", lambda _: None, "INVALID_PUBLIC_TOKEN", CONFIG),
    "exchange with 401": ("instant", lambda world: world.backend.fail_next(EXCHANGE, 401), "HTTP_401", CONFIG),
    "exchange without a token": (
        "instant",
        lambda world: world.backend.fail_next(EXCHANGE, 200, body=b"{}"),
        "UNEXPECTED_ANSWER",
        SYSTEM,
    ),
}


@pytest.mark.parametrize("what", SUBMITTED)
def test_what_may_have_reached_the_utility_counts(world: World, what: str) -> None:
    """Twice, then not again before the first is a day old; a repeat within minutes is never asked for."""
    username, plan, reason, failure_type = SUBMITTED[what]
    config: Config = world.config(username=username)
    for number in (1, 2):
        plan(world)
        sync = world.read(config)
        config = after(sync, config)
        assert (ended(sync), sync.failure_type) == (("failed", reason), failure_type)
        assert len(connections(config)["site"]["submitted"]) == number
        assert world.count(CONNECT) == number
    third = world.read(config)
    assert (ended(third), third.failure_type) == (("failed", "SUBMITTED_TWICE"), CONFIG)
    assert world.count(CONNECT) == 2
    world.pass_time(24 * HOURS)
    plan(world)
    world.read(after(third, config))
    assert world.count(CONNECT) == 3


def test_a_rate_limit_is_waited_for_because_it_reaches_no_utility(world: World) -> None:
    """A plain 429 of connect or exchange is the one answer after which they are sent again."""
    for path in (CONNECT, EXCHANGE):
        world.backend.fail_next(path, 429, headers={"retry-after": "7"})
    sync = world.read(world.config(username="instant"))
    assert ended(sync) == ("ready", None)
    assert [world.count(path) for path in (CONNECT, EXCHANGE)] == [2, 2]
    assert world.backend.submissions("instant") == 1
    assert sync.row("site")["waited_seconds"] >= 14


REFUSALS = {
    "wrong_password": "InvalidCredentials",
    "locked": "CONNECTION_LOCKED",
    "consent": "CONSENT_REQUIRED",
    "mfa": "MfaQuestion",
    "mfa_method": "MfaMethodChoice",
    "captcha": "Captcha",
    "security_question": "SecurityQuestion",
    "account_selection": "AccountSelection",
}


@pytest.mark.parametrize("username", REFUSALS)
def test_a_login_that_needs_a_person_is_not_submitted_again(world: World, username: str) -> None:
    """Not after a year either; each run says the same as the first, until a person raises `attempt`."""
    config: Config = world.config(username=username)
    first = world.read(config)
    config = after(first, config)
    assert ended(first) == ("needs_user", REFUSALS[username])
    assert first.failure_type is CONFIG
    assert connections(config)["site"]["refused"] == REFUSALS[username]
    world.pass_time(365 * 24 * HOURS)
    refreshing = {**config, "refresh_after_days": 1}
    again = world.read(refreshing)
    assert world.count(CONNECT) == 1
    assert world.count("/connection/refresh") == 0
    assert again.row("site")["status"] == "needs_user"
    if "access_token" not in connections(config)["site"]:
        assert again.row("site")["message"] == first.row("site")["message"]
    world.read(changed(config, attempt=2))
    assert world.count(CONNECT) == 2


def test_an_error_code_of_the_status_is_a_refusal_too(world: World) -> None:
    """However the provider says that it needs a person, the login is not submitted again."""
    world.backend.fail_next(STATUS, 400, code="CONNECTION_LOCKED")
    sync = world.read(world.config(username="never_connects"))
    assert ended(sync) == ("needs_user", "CONNECTION_LOCKED")
    assert connections(sync.config)["site"]["refused"] == "CONNECTION_LOCKED"


def test_a_refused_update_still_delivers(world: World) -> None:
    """The connection has its data from before; the row says that newer data needs a person, run after run."""
    first = world.read(world.config(username="instant"))
    world.backend.fail_next(STATUS, 400, code="CONNECTION_LOCKED")
    second = world.read(changed(first.config or {}, attempt=2))
    row = second.row("site")
    assert (row["status"], row["reason"], row["actor"]) == ("ready", "CONNECTION_LOCKED", "user")
    assert row["message"].startswith("The data of the last good session was delivered. The utility has locked")
    assert second.error is None
    assert connections(second.config)["site"]["refused"] == "CONNECTION_LOCKED"


def test_a_deadline_between_submission_and_token_does_not_lose_the_token() -> None:
    """What was begun is finished and written; only the waiting that follows is cut short."""
    world = World(latency=30.0)
    first = world.read(world.config(username="instant", data_timeout_minutes=1.6))
    moments = [entry.at for entry in world.backend.journal]
    assert moments == [30, 60, 90, 120]
    assert (ended(first)[0], first.failure_type) == ("pending", TRANSIENT)
    assert connections(first.config)["site"]["access_token"]
    world.read({**(first.config or {}), "data_timeout_minutes": 60})
    assert world.count(CONNECT) == 1


def test_a_login_that_never_connects_is_waited_for_by_the_next_run_too(world: World) -> None:
    """At the deadline it is pending, and nothing is submitted again."""
    config = world.config(username="never_connects", data_timeout_minutes=5)
    first = world.read(config)
    second = world.read(first.config or {})
    for sync in (first, second):
        assert (sync.row("site")["status"], sync.failure_type) == ("pending", TRANSIENT)
        assert sync.row("site")["waited_seconds"] == pytest.approx(300, abs=5)
    assert world.count(CONNECT) == 1


def test_a_status_that_cannot_be_asked_does_not_cost_the_token(world: World) -> None:
    """The outage is transient: the token is kept, and the next run goes on with it."""
    world.backend.fail_next(STATUS, 503, times=4)
    first = world.read(world.config(username="user_good"))
    assert (ended(first), first.failure_type) == (("failed", "HTTP_503"), TRANSIENT)
    assert ended(world.read(first.config or {})) == ("ready", None)
    assert world.count(CONNECT) == 1


def test_a_link_session_that_ends_early_is_no_failure(world: World) -> None:
    """The connection itself is asked instead, and nothing is submitted again."""
    assert ended(world.read(world.config(username="link_expires"))) == ("ready", None)
    assert world.count(CONNECT) == 1


ONE_BILL = {"accounts": [{"account_number": "1", "statements": [{"statement_id": "1"}]}]}
LONG_KEY = "a key of the greatest length that a login may have in the warehouse: " + "x" * 24


@pytest.mark.parametrize("is_cloud", [True, False])
def test_in_the_cloud_no_login_is_submitted_whose_link_would_be_lost(is_cloud: bool) -> None:  # noqa: FBT001 - a case
    """There a value has its limit, and what outgrows it is not kept; elsewhere everything is linked."""
    world = World(is_cloud=is_cloud)
    entries = [world.entry(f"instant+{number}", key=f"{LONG_KEY} {number}") for number in range(230)]
    for entry in entries:
        world.backend.deliver(entry["username"], ONE_BILL)
    config = world.fleet(entries, max_requests_per_second=100)
    sync = world.read(config, catalog=catalog_of(["connections"]))
    links, rows = connections(sync.config), sync.rows("connections")
    linked = [row for row in rows if row["status"] == "ready"]
    assert world.count(CONNECT) == len(linked) == sum("access_token" in link for link in links.values())
    if is_cloud:
        assert {row.get("reason") for row in rows if row not in linked} == {"CONFIGURATION_FULL"}
        assert 100 < len(linked) < 230
        assert len((sync.config or {})["links"]) <= Links.LIMIT_BYTES
    else:
        assert len(linked) == 230


@pytest.mark.parametrize(
    ("status", "code", "reason", "actor"),
    [(400, "CONNECTION_LOCKED", "CONNECTION_LOCKED", "user"), (500, None, "HTTP_500", "provider")],
)
def test_an_update_that_fails_costs_no_data(
    world: World, status: int, code: str | None, reason: str, actor: str
) -> None:
    """The connection is as it was, with the data it has; the row says what stands in the way of newer data."""
    first = world.read(world.config(username="instant"))
    world.backend.fail_next(CONNECT, status, code=code)
    second = world.read(changed(first.config or {}, attempt=2))
    row = second.row("site")
    assert (row["status"], row["reason"], row["actor"]) == ("ready", reason, actor)
    assert row["message"].startswith("The data of the last good session was delivered.")
    assert (row["statements_delivered"], second.error) == (36, None)


def test_keys_that_are_refused_during_an_update_end_the_run(world: World) -> None:
    """Refused keys end the run and say nothing about the login."""
    first = world.read(world.config(username="instant"))
    world.backend.fail_next(CONNECT, 401)
    world.backend.fail_next("/test/api_keys", 200)
    world.backend.fail_next("/test/api_keys", 401)
    second = world.read(changed(first.config or {}, attempt=2))
    assert (ended(second), second.failure_type) == (("failed", "HTTP_401"), CONFIG)


def test_a_login_that_somebody_has_helped_is_no_longer_refused(world: World) -> None:
    """A session newer than our last submission went well: a refresh may be asked for again."""
    first = world.read(world.config(username="instant"))
    world.backend.fail_next(CONNECT, 400, code="CONNECTION_LOCKED")
    config = world.read(changed(first.config or {}, attempt=2)).config or {}
    assert connections(config)["site"]["refused"] == "CONNECTION_LOCKED"
    world.pass_time(HOURS)
    assert world.read(config).config is None  # the last good session is older than the refusal
    world.backend.link("instant", days_ago=-1 / 24)
    token = world.backend.link("instant")
    links = json.loads(config["links"])
    links["connections"]["site"]["access_token"] = token
    healed = world.read({**config, "links": json.dumps(links)}).config
    assert "refused" not in connections(healed)["site"]
