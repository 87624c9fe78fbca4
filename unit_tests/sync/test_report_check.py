"""The answer of `check`: FAILED only when a sync could deliver nothing, with counts, keys and what to do."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

import pytest
from airbyte_cdk.models import AirbyteConnectionStatus, FailureType
from airbyte_cdk.models import Status as CheckStatus
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from linkless_simulator.answers import Fault
from linkless_simulator.situations import EXTRACTING, working
from linkless_simulator.stages import Situation, Stage
from linkless_simulator.story import Story
from source_linkless.config import Login, parse_config
from source_linkless.errors import Problem
from source_linkless.linking.events import Finished
from source_linkless.provider.outcomes import (
    BROKEN,
    CREDENTIALS,
    MEANINGS,
    NO_DATA,
    PROVIDER_DOWN,
    WORKING,
    Outcome,
    outcome,
)
from source_linkless.provider.outcomes import (
    READY as IS_READY,
)
from source_linkless.sync.report import check_status
from testing.raw_forms import LOGIN, fleet, form
from testing.worlds import World

SUCCEEDED, FAILED = CheckStatus.SUCCEEDED, CheckStatus.FAILED
TOKEN, CONNECT, CONTEXT, KEYS_PATH = "/link/token/create", "/link/connect", "/connection/context", "/test/api_keys"

NOTHING = outcome("NO_ACCOUNTS", NO_DATA)
WAITS = outcome("Connecting", WORKING)
WRONG = outcome("InvalidCredentials", CREDENTIALS)
BROKE = outcome("CONNECTION_FAILED", BROKEN)
DOWN = outcome("HTTP_500", PROVIDER_DOWN)
AGAIN = "Do not test the same login again before it is corrected"


def finished(login: Login, end: Outcome) -> Finished:
    """Return the end of a checked login."""
    return Finished(login, end, None, None, 1.0)


def report(*ends: Outcome, logins: int | None = None) -> AirbyteConnectionStatus:
    """Return the answer for a fleet whose first logins ended like this; the others were not checked."""
    count = len(ends) if logins is None else logins
    config = parse_config(fleet([{**LOGIN, "key": f"k{n}", "username": f"u{n}"} for n in range(count)]))
    return check_status(config, [finished(login, end) for login, end in zip(config.logins, ends, strict=False)])


def of_one(end: Outcome) -> AirbyteConnectionStatus:
    """Return the answer for a single login."""
    config = parse_config(form({**LOGIN, "key": "hq"}))
    return check_status(config, [finished(config.logins[0], end)])


@pytest.mark.parametrize(
    ("end", "said"),
    [(IS_READY, "Connected."), (NOTHING, "Connected."), (WAITS, "Still connecting; the sync goes on waiting.")],
)
def test_one_login_that_works_tells_its_key(end: Outcome, said: str) -> None:
    """The user needs the key when the login moves into a list."""
    answer = of_one(end)
    assert answer.status is SUCCEEDED
    assert answer.message == f"{said} Its key in the warehouse is hq; keep this key when you move or edit it."


def test_one_login_that_fails_says_what_to_do() -> None:
    """A refused password comes with the warning not to test it again; another failure without."""
    assert of_one(WRONG).status is of_one(BROKE).status is FAILED
    advice, again = str(of_one(WRONG).message).split("\n")
    assert advice == f"hq: InvalidCredentials. {CREDENTIALS.advice}"
    assert again.startswith(AGAIN)
    assert of_one(BROKE).message == f"hq: CONNECTION_FAILED. {BROKEN.advice}"


@pytest.mark.parametrize(
    ("ends", "logins", "first_line"),
    [
        ([IS_READY, IS_READY], 2, "2 logins: 2 connected."),
        ([IS_READY], 40, "40 logins: 1 connected, 39 left to the sync."),
        ([NOTHING, WAITS], 2, "2 logins: 1 connected, 1 still connecting; the sync goes on waiting."),
        ([IS_READY, WRONG], 2, "2 logins: 1 connected, 1 in need of attention."),
        ([IS_READY, DOWN], 2, "2 logins: 1 connected, 1 in need of attention."),
        ([WAITS, BROKE], 2, "2 logins: 1 still connecting; the sync goes on waiting, 1 in need of attention."),
        ([WRONG], 3, "3 logins: 1 in need of attention, 2 left to the sync."),
    ],
)
def test_a_fleet_succeeds_when_a_sync_could_deliver_something(
    ends: list[Outcome], logins: int, first_line: str
) -> None:
    """The platform cancels a sync whose check fails, so one failing login must not stop the others."""
    answer = report(*ends, logins=logins)
    assert answer.status is SUCCEEDED
    assert str(answer.message).split("\n")[0] == first_line


def test_failing_logins_of_a_fleet_are_named() -> None:
    """Each by its key, those that need the same together, the first five kinds."""
    lines = str(report(IS_READY, WRONG, BROKE, WRONG).message).split("\n")
    assert lines[1:] == [
        f"k1, k3: InvalidCredentials. {CREDENTIALS.advice}",
        f"k2: CONNECTION_FAILED. {BROKEN.advice}",
    ]
    kinds = [outcome(f"CODE_{number}", BROKEN) for number in range(9)]
    assert len(str(report(IS_READY, *kinds).message).split("\n")) == 6
    assert len(str(report(*kinds).message).split("\n")) == 5


def test_a_fleet_fails_when_every_login_does() -> None:
    """Nothing could be delivered; an outage of one of them does not make that transient."""
    answer = report(WRONG, DOWN)
    assert answer.status is FAILED
    assert str(answer.message).split("\n")[-1].startswith(AGAIN)


@pytest.mark.parametrize(("ends", "logins"), [([DOWN], 1), ([DOWN, DOWN], 2), ([DOWN], 40)])
def test_an_outage_is_an_exception(ends: list[Outcome], logins: int) -> None:
    """Nothing is wrong with the configuration: the platform tries again."""
    with pytest.raises(AirbyteTracedException) as caught:
        report(*ends, logins=logins)
    assert caught.value.failure_type is FailureType.transient_error
    message = str(caught.value.message)
    assert "HTTP_500. The provider does not answer properly. Test again later. Address: https://" in message
    assert "sync" not in message


def test_refused_keys_fail_and_name_the_environment() -> None:
    """Each environment has its own secret, so that is what to look at."""
    answer = check_status(parse_config(form()), [], Problem("HTTP_401", MEANINGS["KEYS"]))
    assert answer.status is FAILED
    assert answer.message == f"HTTP_401. {MEANINGS['KEYS'].advice} Configured environment: live."


@pytest.mark.parametrize("meaning", [PROVIDER_DOWN, MEANINGS["RATE_LIMITED"]])
def test_a_provider_out_of_reach_is_an_exception_with_its_address(meaning: Any) -> None:
    """A wrong address looks like an outage: the message shows which one was tried."""
    with pytest.raises(AirbyteTracedException) as caught:
        check_status(parse_config(form()), [], Problem("UNREACHABLE", meaning))
    assert caught.value.failure_type is FailureType.transient_error
    told = meaning.advice.replace("The next sync tries again.", "Test again later.")
    assert caught.value.message == f"UNREACHABLE. {told} Address: https://live.deck.co/api/v1"


class Checks:
    """Checks in a world, and what they write back."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.world = World()
        self._capsys = capsys
        self.written: list[dict[str, Any]] = []

    def check(self, config: Mapping[str, Any]) -> AirbyteConnectionStatus:
        """Check, and keep the configurations that were printed."""
        try:
            return self.world.source().check(logging.getLogger("airbyte"), config)
        finally:
            lines = [json.loads(line) for line in self._capsys.readouterr().out.split("\n") if line.startswith("{")]
            controls = [line["control"] for line in lines if line["type"] == "CONTROL"]
            self.written = [control["connectorConfig"]["config"] for control in controls]

    def linked(self, username: str, story: str | Story | None = None, **options: Any) -> dict[str, Any]:
        """Return one entry of a list: a connection that exists already."""
        return {"key": username, "access_token": self.world.backend.link(username, story, **options)}


@pytest.fixture
def checks(capsys: pytest.CaptureFixture[str]) -> Checks:
    """Make a world for checks."""
    return Checks(capsys)


def test_check_links_a_login_and_writes_it_back_at_once(checks: Checks) -> None:
    """Announcement and token are printed, so that a check that is killed has left them; the next links nothing."""
    assert checks.check(checks.world.config()).status is SUCCEEDED
    announced, linked = [json.loads(config["links"])["connections"]["site"] for config in checks.written]
    assert ("access_token" in announced, "access_token" in linked) == (False, True)
    assert checks.check(checks.written[-1]).status is SUCCEEDED
    assert checks.written == []
    assert [checks.world.count(path) for path in (CONNECT, CONTEXT, KEYS_PATH)] == [1, 1, 2]


def test_a_refused_login_fails_the_check_and_is_not_submitted_by_the_next(checks: Checks) -> None:
    """The answer stays the same as long as the login does."""
    first = checks.check(checks.world.config(username="captcha"))
    second = checks.check(checks.written[-1])
    assert first.status is second.status is FAILED
    assert str(first.message).startswith(f"site: Captcha. {MEANINGS['CAPTCHA'].advice}")
    assert checks.world.count(CONNECT) == 1


def test_a_login_that_still_connects_succeeds_within_the_time_of_the_check(checks: Checks) -> None:
    """The sync goes on waiting; the check ends when it said it would."""
    config = checks.world.config(username="never_connects", check_timeout_seconds=30)
    answer = checks.check(config)
    assert (answer.status, str(answer.message)[:16]) == (SUCCEEDED, "Still connecting")
    assert checks.world.seconds() == pytest.approx(30, abs=1)


@pytest.mark.parametrize("path", [KEYS_PATH, TOKEN])
def test_an_outage_fails_no_check_for_good(checks: Checks, path: str) -> None:
    """It is an exception that the platform repeats, and nothing was submitted."""
    checks.world.backend.fail_next(path, 503, times=9)
    with pytest.raises(AirbyteTracedException) as caught:
        checks.check(checks.world.config())
    assert caught.value.failure_type is FailureType.transient_error
    assert checks.world.count(CONNECT) == 0


def test_keys_that_cannot_be_tested_in_time_are_an_outage(checks: Checks) -> None:
    """A provider that only answers 429 is waited for as long as the check may take."""
    checks.world.backend.fail_next(KEYS_PATH, 429, times=99, headers={"retry-after": "60"})
    with pytest.raises(AirbyteTracedException) as caught:
        checks.check(checks.world.config())
    assert caught.value.failure_type is FailureType.transient_error
    assert checks.world.seconds() == pytest.approx(240)


def test_refused_keys_fail_the_check(checks: Checks) -> None:
    """Nothing else is asked."""
    checks.world.backend.revoke_keys()
    assert checks.check(checks.world.config()).status is FAILED
    assert [entry.path for entry in checks.world.backend.journal] == [KEYS_PATH]


def test_a_provider_without_the_test_of_keys_is_checked_all_the_same(checks: Checks) -> None:
    """That endpoint came late; without it the login itself shows whether the keys are good."""
    checks.world.backend.fail_next(KEYS_PATH, 404, body=b"Not Found")
    assert checks.check(checks.world.config(username="instant")).status is SUCCEEDED


def test_of_a_fleet_at_most_one_login_is_linked(checks: Checks) -> None:
    """Where no link exists, the first is tried; the others are left to the sync."""
    answer = checks.check(checks.world.fleet(["user_good+1", "user_good+2", "user_good+3"]))
    assert answer.message == "3 logins: 1 connected, 2 left to the sync."
    assert checks.world.count(CONNECT) == 1


def test_of_a_fleet_with_links_none_is_linked(checks: Checks) -> None:
    """The tokens are verified, all of them; the health decides, and data where that is bad."""
    stories: dict[str, str | Story] = {
        "good": "instant",
        "working": Story("At work", (Stage(EXTRACTING),)),
        "stale": Story("Refused, with old data", (Stage(Situation("Connected", "Disconnected", "MfaCodeTimeout")),)),
        "locked": Story("Refused, without data", (Stage(working("BlockedByPin")),)),
        "hidden": Story("Health not told", (Stage(Situation("Connected", product=None, context=Fault(None, 404))),)),
    }
    entries = [checks.linked(name, story) for name, story in stories.items()]
    unknown = {"key": "gone", "access_token": "access-sandbox-gone"}
    answer = checks.check(checks.world.fleet([*entries, unknown, "user_good"]))
    lines = str(answer.message).split("\n")
    assert lines[0] == "7 logins: 4 connected, 2 in need of attention, 1 left to the sync."
    assert sorted(line.split(". ")[0] for line in lines[1:]) == ["gone: CONNECTION_NOT_FOUND", "locked: BlockedByPin"]
    assert checks.world.count(CONNECT) == 0
    assert checks.written == []


def test_tokens_are_verified_as_far_as_the_time_goes(checks: Checks) -> None:
    """A fleet of any size is checked in the time that was given."""
    entries = [checks.linked(f"instant+{number}") for number in range(40)]
    answer = checks.check(checks.world.fleet(entries, check_timeout_seconds=2))
    assert answer.status is SUCCEEDED
    assert checks.world.seconds() == pytest.approx(2, abs=0.3)
    assert 5 < checks.world.count(CONTEXT) < 20


def test_a_token_with_which_the_keys_do_not_fit_fails_alone(checks: Checks) -> None:
    """The keys were proven, so a 401 is about this token."""
    checks.world.backend.fail_next(CONTEXT, 401)
    answer = checks.check(checks.world.fleet([checks.linked("instant")]))
    assert answer.status is FAILED
    assert str(answer.message).startswith("instant: HTTP_401. The provider does not know this access token.")


def test_a_token_that_is_gone_is_linked_once_more(checks: Checks) -> None:
    """A single login's own link is mended by the check; a token of the user's own cannot be."""
    checks.check(checks.world.config(username="instant"))
    config = checks.written[-1]
    checks.world = World()
    assert checks.check(config).status is SUCCEEDED
    assert checks.world.count(CONNECT) == 1
    own = {"method": "access_token", "access_token": "access-sandbox-gone", "key": "site"}
    assert checks.check(checks.world.config(connection=own)).status is FAILED
    assert checks.world.count(CONNECT) == 1


def test_a_connection_without_data_yet_and_without_health_is_still_connecting(checks: Checks) -> None:
    """Where the provider tells nothing, the product does."""
    hidden = Story("Hidden and not ready", (Stage(Situation("Connected", "x", "y", EXTRACTING.product, None)),))
    checks.world.backend.fail_next(CONTEXT, 404, body=b"Not Found")
    answer = checks.check(checks.world.fleet([checks.linked("site", hidden)]))
    assert answer.message == "1 login: 1 still connecting; the sync goes on waiting."
