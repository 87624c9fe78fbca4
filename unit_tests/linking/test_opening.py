"""All logins of a sync at once: what ends the whole run, what ends one login, and what only informs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from linkless_simulator.situations import EXTRACTING, READY
from linkless_simulator.stages import Seconds, Stage
from linkless_simulator.story import Story
from source_linkless import SourceLinkless
from source_linkless.provider.outcomes import NOT_ALLOWED
from testing.worlds import Sync, World, catalog_of

KEYS, CONTEXT, CONNECT, PRODUCT = "/test/api_keys", "/connection/context", "/link/connect", "/sustainability/get"
TOKEN, EXCHANGE = "/link/token/create", "/connection/public_token/exchange"
CONFIG, TRANSIENT, SYSTEM = FailureType.config_error, FailureType.transient_error, FailureType.system_error


@pytest.fixture
def world() -> World:
    """Make a world."""
    return World()


def ends(sync: Sync) -> dict[str, tuple[str, str | None]]:
    """Return status and reason of every login."""
    return {row["connection_key"]: (row["status"], row.get("reason")) for row in sync.rows("connections")}


def interrupted(world: World, config: Mapping[str, Any], happens: Callable[[], object]) -> Sync:
    """Read a fleet; something happens when its submissions are announced."""
    sync = Sync()
    try:
        for message in world.source().read(logging.getLogger("airbyte"), config, catalog_of(), []):
            if message.control is not None and sync.config is None:
                happens()
            sync.messages.append(message)
    except AirbyteTracedException as error:
        sync.error = error
    return sync


@pytest.mark.parametrize(
    ("status", "reason", "failure", "asked"), [(401, "HTTP_401", CONFIG, 1), (503, "HTTP_503", TRANSIENT, 4)]
)
def test_without_good_keys_nothing_is_asked(
    world: World, status: int, reason: str, failure: FailureType, asked: int
) -> None:
    """Refused keys and a provider that is down end the run at once, and every login still has its row."""
    world.backend.fail_next(KEYS, status, times=9)
    sync = world.read(world.fleet(["instant+1", "instant+2"]))
    assert ends(sync) == {"instant+1": ("failed", reason), "instant+2": ("failed", reason)}
    assert sync.failure_type is failure
    assert [entry.path for entry in world.backend.journal] == [KEYS] * asked


def test_keys_that_cannot_be_tested_in_time_end_no_login_for_good(world: World) -> None:
    """A rate limit is waited for until the deadline; nothing was submitted, so the next sync may."""
    world.backend.fail_next(KEYS, 429, times=99, headers={"retry-after": "600"})
    sync = world.read(world.config())
    assert (sync.row("site")["status"], sync.failure_type) == ("pending", TRANSIENT)
    assert world.count(CONNECT) == 0


def test_keys_that_are_revoked_end_the_run_at_once(world: World) -> None:
    """The first 401 has the keys tested; refused, nothing more is waited for, and nothing was submitted."""
    config = world.fleet(
        ["never_connects", "instant", {"key": "own", "access_token": world.backend.link("never_ready")}]
    )
    sync = interrupted(world, config, world.backend.revoke_keys)
    assert set(ends(sync).values()) == {("failed", "HTTP_401")}
    assert sync.failure_type is CONFIG
    assert world.count(CONNECT) == 0
    assert world.seconds() < 10
    assert sync.config is not None
    assert "submitted" not in sync.config["links"]


def test_a_401_with_good_keys_is_the_connection_s_own(world: World) -> None:
    """The other logins are not disturbed."""
    sync = world.read(world.fleet(["unauthorized", "instant"]))
    assert ends(sync) == {"unauthorized": ("failed", "HTTP_401"), "instant": ("ready", None)}
    assert sync.row("unauthorized")["message"].startswith("The provider does not know this access token.")
    assert sync.error is None


@pytest.mark.parametrize("path", [TOKEN, CONNECT, EXCHANGE])
def test_a_401_while_linking_with_good_keys_never_reads_as_refused_keys(world: World, path: str) -> None:
    """The keys were tested: the message is about what they may do, in a sync and in a check."""
    world.backend.fail_next(path, 401)
    sync = world.read(world.fleet(["instant", "growing"]))
    ended = {row["status"]: row for row in sync.rows("connections")}
    assert ended["failed"]["reason"] == "HTTP_401"
    assert ended["failed"]["message"].startswith(NOT_ALLOWED.advice)
    assert ended["ready"].get("reason") is None


def test_a_401_during_an_outage_is_an_outage(world: World) -> None:
    """When the keys cannot be tested, nobody is told to correct a token."""

    def happens() -> None:
        world.backend.fail_next(PRODUCT, 401)
        world.backend.fail_next(KEYS, 503, times=9)

    sync = interrupted(world, world.config(username="instant"), happens)
    assert ends(sync) == {"site": ("failed", "HTTP_503")}
    assert sync.failure_type is TRANSIENT


def test_an_error_of_ours_costs_one_login(world: World) -> None:
    """The others are read; the row and the error say the kind of the error and never its text."""

    def chance() -> float:
        raise LookupError("a secret")

    source = SourceLinkless(replace(world.surroundings(), chance=chance))
    sync, config = Sync(), world.fleet(["outage_twice", "instant"], failed_connections="fail")
    with pytest.raises(AirbyteTracedException) as caught:
        sync.messages.extend(source.read(logging.getLogger("airbyte"), config, catalog_of(), []))
    assert ends(sync) == {"outage_twice": ("failed", "UNEXPECTED_ERROR_HERE"), "instant": ("ready", None)}
    assert caught.value.failure_type is SYSTEM
    assert "LookupError" in str(caught.value.internal_message)
    assert "a secret" not in f"{caught.value.message}{caught.value.internal_message}{sync.messages}"


def test_a_refused_login_without_health_stays_refused(world: World) -> None:
    """Its product is not ready and nobody tells why: what is remembered says it."""
    world.backend.fail_next(CONTEXT, 404, times=99, body=b"Not Found")
    first = world.read(world.config(username="mfa"))
    second = world.read(first.config or {})
    assert ends(first) == ends(second) == {"site": ("needs_user", "MfaQuestion")}
    assert world.count(CONNECT) == 1


def test_a_wait_without_health_lasts_until_the_data_is_there(world: World) -> None:
    """Nobody tells whether it is hopeless, so it is waited for."""
    story = Story("A minute", (Stage(EXTRACTING, Seconds(60)), Stage(READY)))
    token = world.backend.link("site", story)
    world.backend.fail_next(CONTEXT, 404, times=99, body=b"Not Found")
    sync = world.read(world.fleet([{"key": "site", "access_token": token}]))
    assert ends(sync) == {"site": ("ready", None)}
    assert 60 <= sync.row("site")["waited_seconds"] <= 72


def test_a_health_that_cannot_be_asked_costs_no_data(world: World) -> None:
    """The document is there; a 401 of what only informs is not looked into."""
    world.backend.fail_next(CONTEXT, 401)
    assert ends(world.read(world.config(username="instant"))) == {"site": ("ready", None)}
