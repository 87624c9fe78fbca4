"""The connection test: what it proves, what it submits, and what a person reads.

Through whole processes and HTTP where the platform's door matters, in one process and virtual time for the rest.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from linkless_simulator import Simulator
from source_linkless.streams import STREAMS
from testing.connector import Connector, edited, login_at, together
from testing.worlds import World

CREATE, CONNECT, EXCHANGE = "/link/token/create", "/link/connect", "/connection/public_token/exchange"
STATUS, CONTEXT, PRODUCT = "/link/connection/status", "/connection/context", "/sustainability/get"
CLOSED = "http://127.0.0.1:9/api/v1"
"""An address of this machine where nothing listens."""
FOR_EVER = 10_000


@pytest.fixture
def connector(tmp_path: Path) -> Connector:
    """Return the connector as a process."""
    return Connector(tmp_path)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a check in one process answered and wrote back."""

    status: str
    message: str
    config: dict[str, Any] | None


class Checks:
    """Runs checks in one process; what they print is taken from standard output."""

    def __init__(self, world: World, output: pytest.CaptureFixture[str]) -> None:
        self.world, self._output = world, output

    def __call__(self, config: dict[str, Any]) -> Answer:
        """Check a configuration."""
        answer = self.world.source().check(logging.getLogger("airbyte"), config)
        lines = [json.loads(line) for line in self._output.readouterr().out.split("\n") if line.startswith("{")]
        written = [one["control"]["connectorConfig"]["config"] for one in lines if one["type"] == "CONTROL"]
        return Answer(answer.status.value, answer.message or "", written[-1] if written else None)


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]) -> Checks:
    """Return checks against a provider of their own."""
    return Checks(World(), capsys)


# Whole processes


def test_a_good_login_is_linked_once_and_looked_at_in_the_pace_of_its_user(
    simulator: Simulator, connector: Connector
) -> None:
    """SUCCEEDED with exactly one connect, and no two looks at the status closer than the configured pause."""
    run = connector.check(login_at(simulator, "user_good+check", poll_interval_seconds=0.3))
    assert (run.code, run.verdict[0]) == (0, "SUCCEEDED")
    assert (
        run.verdict[1]
        == "Connected. Its key in the warehouse is user_good-check; keep this key when you move or edit it."
    )
    assert simulator.backend.count(CONNECT, "user_good+check") == 1
    looks = [entry.at for entry in simulator.backend.journal if entry.path == STATUS]
    assert len(looks) == 3
    assert all(later - earlier >= 0.3 for earlier, later in pairwise(looks))


def test_a_wrong_password_is_submitted_once_until_a_person_changes_it(
    simulator: Simulator, connector: Connector
) -> None:
    """FAILED with exit code 0; with the configuration that was written back, check and read submit nothing."""
    name = "user_good+wrong"
    run = connector.check(edited(login_at(simulator, name), password="not_the_password"))
    assert (run.code, run.verdict[0]) == (0, "FAILED")
    first, second = run.verdict[1].split("\n")
    assert first.startswith("user_good-wrong: InvalidCredentials. The utility refused the username or the password.")
    assert second.startswith("Do not test the same login again before it is corrected")
    again, read = together(lambda: connector.check(run.written[-1]), lambda: connector.read(run.written[-1]))
    assert again.verdict[0] == "FAILED"
    assert (read.code, read.errors[0]["failure_type"]) == (1, "config_error")
    assert simulator.backend.count(CONNECT, name) == 1
    corrected = connector.check(edited(run.written[-1], password="pass_good"))
    assert corrected.verdict[0] == "SUCCEEDED"
    assert simulator.backend.count(CONNECT, name) == 2


def test_a_wrong_key_fails_and_an_outage_raises(simulator: Simulator, connector: Connector) -> None:
    """A wrong secret is FAILED, names keys and environment, exit code 0; a dead server is transient, exit code 1."""
    before = simulator.backend.count(CONNECT)
    wrong, down = together(
        lambda: connector.check(login_at(simulator, "user_good", secret="another-secret-of-another-team")),
        lambda: connector.check(login_at(simulator, "user_good", api_url=CLOSED)),
    )
    assert (wrong.code, wrong.verdict[0]) == (0, "FAILED")
    assert "Check 'Client ID', 'Secret' and 'Environment'" in wrong.verdict[1]
    assert "Configured environment: sandbox." in wrong.verdict[1]
    assert simulator.backend.count(CONNECT) == before
    assert down.code == 1
    assert {error["failure_type"] for error in down.errors} == {"transient_error"}
    assert down.errors[0]["message"].startswith("UNREACHABLE. The provider does not answer properly.")
    assert CLOSED in down.errors[0]["message"]
    assert down.of("CONNECTION_STATUS") == []


def test_a_login_still_connecting_succeeds_and_discover_needs_no_network(
    simulator: Simulator, connector: Connector
) -> None:
    """The check ends at its own limit, with the link kept; the catalog comes without any request."""
    waiting, catalog = together(
        lambda: connector.check(login_at(simulator, "never_connects", check_timeout_seconds=0.5)),
        lambda: connector.discover(login_at(simulator, "nobody", api_url=CLOSED)),
    )
    assert (waiting.code, waiting.verdict[0]) == (0, "SUCCEEDED")
    assert waiting.verdict[1].startswith("Still connecting; the sync goes on waiting.")
    assert "access_token" in waiting.written[-1]["links"]
    assert simulator.backend.count(CONNECT, "never_connects") == 1
    assert catalog.code == 0
    assert [stream["name"] for stream in catalog.of("CATALOG")[0]["streams"]] == list(STREAMS)
    assert simulator.backend.count(CONNECT, "nobody") == 0
    assert catalog.written == []


# One login, one process


def test_a_login_that_is_linked_is_asked_for_its_health_and_writes_nothing(check: Checks) -> None:
    """The second check costs the keys and the context: no submission, no polling, no document, no CONTROL."""
    first = check(check.world.config())
    assert first.config is not None
    before = len(check.world.backend.journal)
    second = check(first.config)
    assert (second.status, second.config) == ("SUCCEEDED", None)
    assert [entry.path for entry in check.world.backend.journal[before:]] == ["/test/api_keys", CONTEXT]


def test_a_context_that_does_not_exist_costs_no_check(check: Checks) -> None:
    """A provider that answers 404 there is asked for the product instead."""
    first = check(check.world.config(username="no_context"))
    assert first.config is not None
    assert check(first.config).status == "SUCCEEDED"
    assert check.world.count(CONNECT) == 1


@pytest.mark.parametrize(
    ("change", "connects"), [({"password": "another"}, 2), ({"attempt": 2}, 2), ({"key": "site"}, 1)]
)
def test_a_refused_login_is_submitted_again_only_after_a_change(
    check: Checks, change: dict[str, Any], connects: int
) -> None:
    """A new password or a higher attempt submits the login once more; anything else does not."""
    refused = check(check.world.config(password="not_the_password"))
    assert (refused.status, check.world.count(CONNECT)) == ("FAILED", 1)
    assert refused.config is not None
    after = check(edited(refused.config, **change))
    assert after.status == "FAILED"
    assert check.world.count(CONNECT) == connects
    again = check(after.config or edited(refused.config, **change))
    assert (again.status, check.world.count(CONNECT)) == ("FAILED", connects)


def test_a_changed_password_updates_the_connection_that_exists(check: Checks) -> None:
    """Update mode: one connect without exchange, and the token stays the same."""
    first = check(check.world.config())
    assert first.config is not None
    changed = check(edited(first.config, password="not_the_password"))
    assert changed.config is not None
    assert (check.world.count(CONNECT), check.world.count(EXCHANGE)) == (2, 1)
    tokens = [
        json.loads(config["links"])["connections"]["site"]["access_token"] for config in (first.config, changed.config)
    ]
    assert tokens[0] == tokens[1]


@pytest.mark.parametrize("path", ["/test/api_keys", CREATE, STATUS])
def test_an_outage_while_a_login_is_checked_is_transient(check: Checks, path: str) -> None:
    """An outage is no verdict on the configuration: it raises instead of answering FAILED."""
    check.world.backend.fail_next(path, 503, times=FOR_EVER)
    with pytest.raises(AirbyteTracedException) as caught:
        check(check.world.config())
    assert caught.value.failure_type is FailureType.transient_error
    assert "HTTP_503. The provider does not answer properly." in str(caught.value.message)
    assert check.world.count(path) == 4


def test_a_provider_that_does_not_answer_in_time_is_an_outage(capsys: pytest.CaptureFixture[str]) -> None:
    """A provider slower than the whole check is transient, not a fault of the connector."""
    check = Checks(World(latency=300), capsys)
    with pytest.raises(AirbyteTracedException) as caught:
        check(check.world.config())
    assert caught.value.failure_type is FailureType.transient_error
    assert check.world.seconds() == pytest.approx(240, abs=1)


@pytest.mark.parametrize(
    ("story", "reason"),
    [
        ("locked", "CONNECTION_LOCKED"),
        ("mfa", "MfaQuestion"),
        ("captcha", "Captcha"),
        ("source_unknown", "INVALID_SOURCE"),
        ("error", "Error"),
        ("connect_500", "HTTP_500"),
    ],
)
def test_a_login_that_could_deliver_nothing_fails(check: Checks, story: str, reason: str) -> None:
    """FAILED names the login by its key and the provider's word; connect was sent once."""
    answer = check(check.world.config(username=story))
    assert answer.status == "FAILED"
    assert answer.message.startswith(f"site: {reason}. ")
    assert check.world.count(CONNECT) == 1


@pytest.mark.parametrize(("token", "status"), [("good", "SUCCEEDED"), ("access-sandbox-unknown", "FAILED")])
def test_an_access_token_is_verified_and_never_linked(check: Checks, token: str, status: str) -> None:
    """A token of the user's own is asked for its health; an unknown one says what to correct."""
    given = check.world.backend.link("user_good") if token == "good" else token
    answer = check(check.world.config(connection={"method": "access_token", "access_token": given, "key": "mine"}))
    assert answer.status == status
    assert ("mine: CONNECTION_NOT_FOUND. The provider does not know this access token." in answer.message) == (
        status == "FAILED"
    )
    assert check.world.count(CREATE) == 0


# Fleets


def test_a_fleet_without_any_link_links_its_first_login_only(check: Checks) -> None:
    """One login proves the way; the others are counted and left to the sync."""
    answer = check(check.world.fleet(["user_good+1", "user_good+2", "wrong_password"]))
    assert answer.status == "SUCCEEDED"
    assert answer.message == "3 logins: 1 connected, 2 left to the sync."
    assert [entry.username for entry in check.world.backend.journal if entry.path == CONNECT] == ["user_good+1"]


def test_a_fleet_with_a_link_links_nothing_and_verifies_its_tokens(check: Checks) -> None:
    """Every token is asked for its health; a bad one is named; logins without a link are left to the sync."""
    world = check.world
    good = {"key": "good", "access_token": world.backend.link("user_good+1")}
    answer = check(world.fleet([good, {"key": "bad", "access_token": "access-sandbox-unknown"}, "user_good+2"]))
    assert (answer.status, answer.config) == ("SUCCEEDED", None)
    head, *lines = answer.message.split("\n")
    assert head == "3 logins: 1 connected, 1 in need of attention, 1 left to the sync."
    assert [line.split(".")[0] for line in lines] == ["bad: CONNECTION_NOT_FOUND"]
    assert (world.count(CREATE), world.count(CONTEXT)) == (0, 2)


def test_a_fleet_whose_first_login_is_refused_still_succeeds(check: Checks) -> None:
    """A sync could deliver the others, and a check that fails would keep the platform from ever trying."""
    answer = check(check.world.fleet(["wrong_password", "user_good"]))
    assert answer.status == "SUCCEEDED"
    assert answer.message.startswith(
        "2 logins: 1 in need of attention, 1 left to the sync.\nwrong_password: InvalidCred"
    )
    assert check.world.count(CONNECT) == 1


def test_a_fleet_that_could_deliver_nothing_fails_and_names_each_login(check: Checks) -> None:
    """When every token is bad there is nothing to sync."""
    entries = [{"key": f"bad-{number}", "access_token": f"access-sandbox-unknown-{number}"} for number in range(3)]
    answer = check(check.world.fleet(entries))
    assert answer.status == "FAILED"
    assert answer.message.startswith("bad-0, bad-1, bad-2: CONNECTION_NOT_FOUND. ")


def test_a_large_fleet_is_verified_as_far_as_the_time_goes(check: Checks) -> None:
    """What the rate limit leaves no time for is left to the sync, and the check ends in time."""
    world = check.world
    entries = [{"key": f"n{number}", "access_token": world.backend.link(f"instant+{number}")} for number in range(200)]
    answer = check(world.fleet(entries, check_timeout_seconds=10))
    assert answer.status == "SUCCEEDED"
    assert answer.message.startswith("200 logins: ")
    assert 40 <= world.count(CONTEXT) <= 52
    assert world.seconds() == pytest.approx(10, abs=1)
