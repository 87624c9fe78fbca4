"""Every way a login can end: how often it asks, its row in `connections`, the end of the sync, what a user reads.

The table of outcomes, row by row, as the stories of the simulator tell it; then every documented code at each place
where it can be said. All of it in one process and in virtual time; one case of each kind of end as a process.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest
from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from linkless_simulator import Simulator
from linkless_simulator.answers import Answer
from linkless_simulator.awkward import KINDS
from linkless_simulator.faults import Planned
from linkless_simulator.scenarios import STORIES
from source_linkless.provider.outcomes import ERROR_CODES
from testing.connector import Connector, Run, fleet_at, together
from testing.worlds import ALL_STREAMS, Sync, World, catalog_of

CONFIG, TRANSIENT, SYSTEM = FailureType.config_error, FailureType.transient_error, FailureType.system_error
CREATE, CONNECT, EXCHANGE = "/link/token/create", "/link/connect", "/connection/public_token/exchange"
STATUS, CONTEXT, PRODUCT = "/link/connection/status", "/connection/context", "/sustainability/get"
MINUTES = 5
FOR_EVER = 10_000
MANY = -1
"""In place of a number of requests: again and again until the deadline."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What an outcome means: the row's status and actor, the failure of the sync, the words a user reads."""

    status: str
    actor: str
    failure: FailureType | None
    words: str


READY = Kind("ready", "nobody", None, "")
PARTIAL = Kind("ready", "provider", None, "The provider delivered 2 of 3 accounts; the next sync asks again.")
ODD_SHAPE = Kind("ready", "nobody", None, "only the stream sustainability can show it.")
NO_DATA = Kind("no_data", "nobody", None, "The utility shows no accounts or bills for this login.")
PENDING = Kind("pending", "provider", TRANSIENT, "the next sync goes on waiting, nothing is submitted again.")
LIMITED = Kind("pending", "provider", TRANSIENT, "lower 'Requests per second'")
PROVIDER = Kind("failed", "provider", TRANSIENT, "The provider does not answer properly. The next sync tries again.")
UTILITY = Kind("failed", "utility", TRANSIENT, "The utility's portal does not respond. The next sync tries again.")
LOST = Kind("failed", "provider", CONFIG, "The next sync links this login once more, at most twice in 24 hours.")
TWICE = Kind(
    "failed", "user", CONFIG, "It is submitted again after 24 hours, or when it changes or 'attempt' is raised"
)
CREDENTIALS = Kind("needs_user", "user", CONFIG, "The utility refused the username or the password. Correct it")
LOCKED = Kind("needs_user", "user", CONFIG, "Unlock it at its portal, then raise 'attempt' by one.")
CODE = Kind(
    "needs_user", "user", CONFIG, "The utility asks for a one-time code or a confirmation. Link this login once by hand"
)
METHOD = Kind("needs_user", "user", CONFIG, "The utility asks how to send a code")
CAPTCHA = Kind("needs_user", "user", CONFIG, "The utility shows a captcha")
QUESTION = Kind("needs_user", "user", CONFIG, "The utility asks a security question. Link this login once by hand")
ACCOUNTS = Kind("needs_user", "user", CONFIG, "The utility wants an account to be chosen. Link this login once by hand")
CONSENT = Kind("needs_user", "user", CONFIG, "Log in to its portal once, accept, raise 'attempt' by one.")
PIN = Kind("needs_user", "user", CONFIG, "The utility wants a PIN that this login does not carry. Enter all its fields")
SOURCE = Kind("failed", "user", CONFIG, "The provider does not know this utility. Correct the source ID")
TOKEN = Kind("failed", "user", CONFIG, "The provider does not know this access token. Link the login again")
ENABLE = Kind("failed", "user", CONFIG, "The sustainability product is not enabled for these keys. Ask the provider")
NOT_ACCEPTED = Kind("failed", "user", CONFIG, "Check the source ID and the login's fields.")
NOT_OURS = Kind("failed", "user", CONFIG, "The provider answered with a code of another product. Ask its support")
KEYS = Kind("failed", "user", CONFIG, "The provider refused the keys. Check 'Client ID', 'Secret' and 'Environment'")
GONE = Kind("failed", "user", CONFIG, "See its migration page: docs.deck.co/migrations/migrating-from-sustainability.")
BROKEN = Kind("failed", "utility", CONFIG, "The provider's session at the utility ended in an error. A later sync")
UNKNOWN = Kind("failed", "connector", SYSTEM, "Report it with the code and the request id.")


@dataclass(frozen=True, slots=True)
class Expected:
    """What a login leads to: requests of `connect`, `exchange` and product, the row's reason, its kind."""

    requests: tuple[int, int, int]
    reason: str | None
    kind: Kind


def after(connect: int, exchange: int, product: int, reason: str | None = None, kind: Kind = READY) -> Expected:
    """Make one row of a table."""
    return Expected((connect, exchange, product), reason, kind)


BY_STORY = {
    # data
    "user_good": after(1, 1, 3),
    "instant": after(1, 1, 1),
    "slow": after(1, 1, MANY),
    "large": after(1, 1, 1),
    "corrected": after(1, 1, 1),
    "growing": after(1, 1, 1),
    "undocumented": after(1, 1, 1),
    **{f"files_{what}": after(1, 1, 1) for what in ("missing", "not_found", "broken", "scanned")},
    # bills of unusual content are bills like others
    **dict.fromkeys(("awkward", "catching_up", *KINDS), after(1, 1, 1)),
    "forgotten": after(1, 1, 1),
    "flat_refused": after(2, 1, 1),  # the flat form, which reaches no utility, then fields[]
    "refresh_fails": after(1, 1, 1),
    "refresh_refused": after(1, 1, 1),
    "refresh_mfa": after(1, 1, 1),
    "no_context": after(1, 1, 3),  # an endpoint that only adds facts
    "link_expires": after(1, 1, 3),  # INVALID_LINK_TOKEN while polling
    "partial": after(1, 1, 1, "PARTIAL_ACCOUNTS", PARTIAL),
    "invoices": after(1, 1, 1, None, ODD_SHAPE),
    "unknown_shape": after(1, 1, 1, None, ODD_SHAPE),
    # nothing to deliver
    "empty": after(1, 1, 1, None, NO_DATA),
    "no_bills": after(1, 1, 1, None, NO_DATA),
    "no_accounts": after(1, 1, 1, "NO_ACCOUNTS", NO_DATA),
    "no_statements": after(1, 1, 1, "NO_STATEMENTS", NO_DATA),
    "no_data_found": after(1, 1, 2, "NoDataFound", NO_DATA),
    "no_statement_found": after(1, 1, 2, "NoStatement", NO_DATA),
    # work in progress
    "unknown_reason": after(1, 1, 4),
    "error_200": after(1, 1, 3),  # an error object under a 200
    "never_connects": after(1, 1, 0, "Connecting", PENDING),
    "unknown_status": after(1, 1, 0, "Pondering", PENDING),
    "never_ready": after(1, 1, MANY, "PRODUCT_NOT_READY", PENDING),
    "retry_later": after(1, 1, MANY, "PRODUCT_NOT_READY", PENDING),
    "rate_limited": after(1, 1, 2),
    # an outage of reads: repeated a few times
    "outage_twice": after(1, 1, 3),
    "status_outage_twice": after(1, 1, 1),
    "maintenance": after(1, 1, 2),
    "not_responding": after(1, 1, 2),
    "unexpected_error": after(1, 1, 2),
    "outage": after(1, 1, 4, "HTTP_500", PROVIDER),
    "html_error": after(1, 1, 4, "HTTP_502", PROVIDER),
    # the same while a login is submitted: never repeated
    "connect_500": after(1, 0, 0, "HTTP_500", LOST),
    "connect_maintenance": after(1, 0, 0, "PLANNED_MAINTENANCE", LOST),
    "exchange_500": after(1, 1, 0, "HTTP_500", LOST),
    "exchange_refused": after(1, 1, 0, "INVALID_PUBLIC_TOKEN", LOST),
    # a person is needed
    "wrong_password": after(1, 1, 0, "InvalidCredentials", CREDENTIALS),
    "invalid_credentials": after(1, 1, 1, "INVALID_CREDENTIALS", CREDENTIALS),
    "locked": after(1, 0, 0, "CONNECTION_LOCKED", LOCKED),
    "consent": after(1, 0, 0, "CONSENT_REQUIRED", CONSENT),
    "blocked_by_pin": after(1, 1, 1, "BLOCKED_BY_PIN", PIN),
    "blocked_reason": after(1, 1, 2, "BlockedByPin", PIN),
    "mfa": after(1, 1, 0, "MfaQuestion", CODE),
    "mfa_method": after(1, 1, 0, "MfaMethodChoice", METHOD),
    "needs_action": after(1, 1, 2, "MfaActionRequired", CODE),
    "captcha": after(1, 1, 0, "Captcha", CAPTCHA),
    "security_question": after(1, 1, 0, "SecurityQuestion", QUESTION),
    "account_selection": after(1, 1, 0, "AccountSelection", ACCOUNTS),
    # somebody must correct something
    "pin": after(2, 0, 0, "VALIDATION_FAILED", NOT_ACCEPTED),
    "source_unknown": after(1, 0, 0, "INVALID_SOURCE", SOURCE),
    "source_gone": after(1, 0, 0, "DATA_SOURCE_NOT_FOUND", SOURCE),
    "not_enabled": after(1, 1, 1, "PRODUCT_NOT_ENABLED", ENABLE),
    "live_not_enabled": after(1, 1, 1, "LIVE_CONNECTIVITY_NOT_ENABLED", ENABLE),
    "invalid_token": after(1, 1, 1, "INVALID_ACCESS_TOKEN", TOKEN),
    "unauthorized": after(1, 1, 1, "HTTP_401", TOKEN),
    "invalid_keys": after(1, 1, 1, "INVALID_API_KEYS", TOKEN),
    "product_gone": after(1, 1, 1, "HTTP_404", GONE),
    "product_gone_410": after(1, 1, 1, "HTTP_410", GONE),
    # the session at the utility failed
    "error": after(1, 1, 0, "Error", BROKEN),
    "error_again": after(1, 1, 0, "Error", BROKEN),
    "connection_failed": after(1, 1, 1, "CONNECTION_FAILED", BROKEN),
    # undocumented
    "unknown_code": after(1, 1, 1, "SOMETHING_NEW", UNKNOWN),
    "broken": after(1, 1, 1, "UNREADABLE_DOCUMENT", UNKNOWN),
}
"""What each story of the simulator leads to for a login that was never linked before."""

BY_CODE = {
    "PRODUCT_NOT_READY": (MANY, PENDING),
    "RATE_LIMIT_EXCEEDED": (MANY, LIMITED),
    "PLANNED_MAINTENANCE": (4, PROVIDER),
    "UNEXPECTED_ERROR": (4, PROVIDER),
    "DATA_SOURCE_NOT_RESPONDING": (4, UTILITY),
    "INVALID_CREDENTIALS": (1, CREDENTIALS),
    "CONNECTION_LOCKED": (1, LOCKED),
    "CONSENT_REQUIRED": (1, CONSENT),
    "BLOCKED_BY_PIN": (1, PIN),
    "SECURITY_QUESTION_NOT_FOUND": (1, QUESTION),
    "SECURITY_CAPTCHA_NOT_FOUND": (1, CAPTCHA),
    "CONNECTION_FAILED": (1, BROKEN),
    "NO_ACCOUNTS": (1, NO_DATA),
    "NO_STATEMENTS": (1, NO_DATA),
    "INVALID_PUBLIC_TOKEN": (1, LOST),
    "INVALID_API_KEYS": (1, TOKEN),
    "INVALID_ACCESS_TOKEN": (1, TOKEN),
    "CONNECTION_NOT_FOUND": (1, TOKEN),
    "NO_ACTIVE_CONNECTION": (1, TOKEN),
    "INVALID_SOURCE": (1, SOURCE),
    "DATA_SOURCE_NOT_FOUND": (1, SOURCE),
    "NOT_SUPPORTED": (1, SOURCE),
    "DOMAIN_BLACKLISTED": (1, SOURCE),
    "PRODUCT_NOT_ENABLED": (1, ENABLE),
    "LIVE_CONNECTIVITY_NOT_ENABLED": (1, ENABLE),
    "VALIDATION_FAILED": (1, NOT_ACCEPTED),
    "INVALID_ARGUMENT": (1, NOT_ACCEPTED),
    "INVALID_ACCOUNT_ID": (1, NOT_ACCEPTED),
    "INVALID_STATEMENT_ID": (1, NOT_ACCEPTED),
    "INVALID_CURP": (1, NOT_ACCEPTED),
    "INVALID_DOCUMENT_UPLOAD": (1, NOT_ACCEPTED),
    "ACTIVE_CONNECTION_EXISTS": (1, NOT_OURS),
    "NO_JOB_FOUND": (1, NOT_OURS),
    "IDEMPOTENCY_KEY_INVALID": (1, NOT_OURS),
    "IDEMPOTENCY_KEY_DUPLICATE": (1, NOT_OURS),
    "CORRELATION_ID_INVALID": (1, NOT_OURS),
    "JOB_CANNOT_BE_CANCELED": (1, NOT_OURS),
    "JOB_NOT_RUNNING": (1, NOT_OURS),
}
"""What each documented code means when the product says it: how often the product is asked, and the kind."""

LOST_AT_CONNECT = {"PRODUCT_NOT_READY", "PLANNED_MAINTENANCE", "UNEXPECTED_ERROR", "DATA_SOURCE_NOT_RESPONDING"}
"""Codes that leave open whether a login has reached the utility."""


def assert_ends(sync: Sync, key: str, expected: Expected) -> None:
    """Hold a sync of one login against what is expected of its row, its messages and its end."""
    kind, row = expected.kind, sync.row(key)
    assert (row["status"], row["actor"], row.get("reason")) == (kind.status, kind.actor, expected.reason)
    assert kind.words in row.get("message", "")
    assert sync.failure_type == kind.failure
    end = "INCOMPLETE" if kind.failure else "COMPLETE"
    assert {stream: sync.statuses(stream)[-1] for stream in ALL_STREAMS} == {
        stream: "COMPLETE" if stream == "connections" else end for stream in ALL_STREAMS
    }
    assert {state.stream.stream_descriptor.name for state in sync.states if state.stream} == set(ALL_STREAMS)
    if kind.failure:
        assert sync.error is not None
        assert f"{key}: {expected.reason}. {row['message']}" in str(sync.error.message)


def assert_requests(world: World, expected: Expected) -> None:
    """Hold the journal against the expected numbers of requests."""
    asked = tuple(world.count(path) for path in (CONNECT, EXCHANGE, PRODUCT))
    assert all(number > 4 for number, wanted in zip(asked, expected.requests, strict=True) if wanted == MANY)
    exact = [number for number, wanted in zip(asked, expected.requests, strict=True) if wanted != MANY]
    assert exact == [wanted for wanted in expected.requests if wanted != MANY]


def test_every_story_of_the_simulator_has_its_row() -> None:
    """A story that is added needs its expectation here."""
    assert set(BY_STORY) == set(STORIES)


@pytest.mark.parametrize("story", BY_STORY)
def test_a_login_ends_as_the_table_of_outcomes_says(story: str) -> None:
    """Requests, row, end of the sync and words of every story, for a login that was never linked before."""
    world = World()
    sync = world.read(world.config(username=story, data_timeout_minutes=MINUTES))
    assert_ends(sync, "site", BY_STORY[story])
    assert_requests(world, BY_STORY[story])


@pytest.mark.parametrize("story", [story for story, row in BY_STORY.items() if row.kind.status == "needs_user"])
def test_a_login_that_needs_a_person_is_not_submitted_by_the_next_sync(story: str) -> None:
    """A refused login stays refused, and the utility sees nothing of the later sync."""
    world = World()
    first = world.read(world.config(username=story, data_timeout_minutes=MINUTES))
    assert first.config is not None
    second = world.read(first.config)
    assert (second.row("site")["status"], second.row("site")["actor"]) == ("needs_user", "user")
    assert second.failure_type is CONFIG
    assert world.count(CONNECT) == 1


def test_every_code_of_the_contract_has_its_row() -> None:
    """A code that is added needs its expectation here; an ended link session is no outcome."""
    assert set(BY_CODE) | {"INVALID_LINK_TOKEN"} == set(ERROR_CODES)


@pytest.mark.parametrize("code", BY_CODE)
def test_a_code_of_the_product_ends_a_connection_as_the_table_says(code: str) -> None:
    """Whatever the product answers for an access token of the user's own, nothing is linked."""
    world = World()
    token = world.backend.link("user_good")
    world.backend.fail_next(PRODUCT, 400, code=code, times=FOR_EVER)
    times, kind = BY_CODE[code]
    existing = {"method": "access_token", "access_token": token, "key": "mine"}
    sync = world.read(world.config(connection=existing, data_timeout_minutes=MINUTES))
    assert_ends(sync, "mine", Expected((0, 0, times), code, kind))
    assert_requests(world, Expected((0, 0, times), code, kind))


@pytest.mark.parametrize("code", sorted(set(BY_CODE) - {"RATE_LIMIT_EXCEEDED", "INVALID_API_KEYS"}))
def test_a_code_of_connect_never_makes_it_sent_again(code: str) -> None:
    """Connect is sent once in a run, whatever it answers; the other form of a login is for VALIDATION_FAILED alone."""
    world = World()
    world.backend.fail_next(CONNECT, 400, code=code, times=FOR_EVER)
    kind = LOST if code in LOST_AT_CONNECT else BY_CODE[code][1]
    connects = 2 if code == "VALIDATION_FAILED" else 1
    sync = world.read(world.config())
    assert_ends(sync, "site", Expected((connects, 0, 0), code, kind))
    assert_requests(world, Expected((connects, 0, 0), code, kind))


@pytest.mark.parametrize("story", ["connect_500", "connect_maintenance", "exchange_500", "exchange_refused"])
def test_a_login_whose_linking_fails_is_submitted_twice_in_a_day_at_most(story: str) -> None:
    """The third sync of the day submits nothing and says why; a day later the login is submitted again."""
    world = World()
    config = world.config(username=story)
    for _ in range(2):
        config = world.read(config).config or config
    assert world.count(CONNECT) == 2
    assert_ends(world.read(config), "site", Expected((2, 0, 0), "SUBMITTED_TWICE", TWICE))
    assert world.count(CONNECT) == 2
    world.pass_time(24 * 3600)
    assert_ends(world.read(config), "site", replace(BY_STORY[story], requests=(3, 0, 0)))
    assert world.count(CONNECT) == 3


@pytest.mark.parametrize(("path", "looks"), [(CREATE, (4, 0, 0, 0)), (STATUS, (1, 1, 4, 0)), (PRODUCT, (1, 1, 2, 4))])
def test_an_outage_of_reads_is_asked_four_times_and_stays_an_outage(path: str, looks: tuple[int, ...]) -> None:
    """A few attempts with growing pauses, then a failure that a repetition of the sync can heal."""
    world = World()
    world.backend.fail_next(path, 503, times=FOR_EVER)
    sync = world.read(world.config(username="instant+1" if path != PRODUCT else "outage"))
    assert_ends(sync, "site", Expected((0, 0, 0), "HTTP_503", PROVIDER))
    assert tuple(world.count(one) for one in (CREATE, CONNECT, STATUS, PRODUCT)) == looks


def test_an_outage_of_the_context_costs_facts_and_no_data() -> None:
    """The bills arrive although the provider never says how the connection is."""
    world = World()
    world.backend.fail_next(CONTEXT, 500, times=FOR_EVER)
    sync = world.read(world.config())
    assert_ends(sync, "site", BY_STORY["user_good"])
    assert "accounts_expected" not in sync.row("site")


def test_a_requested_pause_is_kept_by_every_connection() -> None:
    """After a 429 the product is not asked before `Retry-After` is over, for no login."""
    world = World()
    sync = world.read(world.fleet(["rate_limited", "user_good"]))
    assert {row["status"] for row in sync.rows("connections")} == {"ready"}
    asked = [entry for entry in world.backend.journal if entry.path == PRODUCT]
    (refused,) = [number for number, entry in enumerate(asked) if entry.status == 429]
    assert asked[refused + 1].at - asked[refused].at >= 2.0


def test_a_pause_beyond_the_deadline_ends_at_the_deadline() -> None:
    """A provider that asks for a day of patience holds the sync no longer than its user allows."""
    world = World()
    world.backend.fail_next(PRODUCT, 429, headers={"retry-after": "86400"}, times=FOR_EVER)
    sync = world.read(world.config(username="instant", data_timeout_minutes=MINUTES))
    assert_ends(sync, "site", Expected((1, 1, 1), "HTTP_429", LIMITED))
    assert world.seconds() == pytest.approx(MINUTES * 60, abs=1)


def test_a_token_of_ours_that_the_provider_forgot_is_replaced() -> None:
    """The written token is set aside and the login linked once more."""
    world = World()
    first = world.read(world.config(username="forgotten"))
    assert first.config is not None
    second = world.read(first.config)
    assert_ends(second, "site", after(2, 2, 3))
    assert_requests(world, after(2, 2, 3))


def test_wrong_keys_end_a_sync_before_anything_is_submitted() -> None:
    """Every login gets its row, and one message speaks of the keys."""
    world = World()
    world.backend.revoke_keys()
    sync = world.read(world.fleet(["user_good", "instant"]))
    assert [row["reason"] for row in sync.rows("connections")] == ["HTTP_401", "HTTP_401"]
    assert sync.failure_type is CONFIG
    assert str(sync.error).count(KEYS.words) == 1
    assert [entry.path for entry in world.backend.journal] == ["/test/api_keys"]


def test_keys_that_are_revoked_half_way_end_every_wait_at_once() -> None:
    """Every configured login still gets its row, what was read before stays, and nothing waits for the deadline."""
    world, sync = World(), Sync()
    config = world.fleet(["instant", "slow+1", "slow+2", "never_ready", "never_connects"], failed_connections="fail")

    def read() -> None:
        for message in world.source().read(logging.getLogger("airbyte"), config, catalog_of(), []):
            sync.messages.append(message)
            if sync.rows("statements"):
                world.backend.revoke_keys()

    with pytest.raises(AirbyteTracedException) as caught:
        read()
    rows = {row["connection_key"]: (row["status"], row.get("reason")) for row in sync.rows("connections")}
    refused = dict.fromkeys(["slow+1", "slow+2", "never_ready", "never_connects"], ("failed", "HTTP_401"))
    assert rows == {"instant": ("ready", None), **refused}
    assert sync.rows("statements")
    assert caught.value.failure_type is CONFIG
    assert str(caught.value.message).count(KEYS.words) == 1
    assert world.seconds() < 60


@pytest.mark.parametrize("path", [CREATE, CONNECT, EXCHANGE, STATUS, PRODUCT])
def test_a_401_with_good_keys_costs_one_login_only(path: str) -> None:
    """The keys are proven once more; the other login of the fleet is read to its end."""
    world = World()
    refusal = Planned(path, Answer(401), times=FOR_EVER, username=None if path == CREATE else "user_good+bad")
    world.backend.plan(refusal)
    linked = {"key": "linked", "access_token": world.backend.link("instant+good")}
    sync = world.read(world.fleet(["user_good+bad", linked]))
    assert (sync.row("user_good+bad")["status"], sync.row("user_good+bad")["actor"]) == ("failed", "user")
    assert sync.row("linked")["status"] == "ready"
    assert sync.error is None
    assert world.count("/test/api_keys") == 2


@dataclass(frozen=True, slots=True)
class End:
    """One kind of end of a whole process: its configuration and what the platform gets to see."""

    logins: tuple[str, ...]
    options: dict[str, Any]
    failure: str
    message: str
    rows: dict[str, str]


ENDS = {
    "transient": End(
        ("instant", "never_ready"),
        {"failed_connections": "fail", "data_timeout_minutes": 0.02},
        "transient_error",
        "1 of 2 logins could not be read completely.\nnever_ready: PRODUCT_NOT_READY. ",
        {"instant": "ready", "never_ready": "pending"},
    ),
    "config": End(
        ("locked", "wrong_password"),
        {},
        "config_error",
        "2 of 2 logins could not be read completely.\nlocked: CONNECTION_LOCKED. ",
        {"locked": "needs_user", "wrong_password": "needs_user"},
    ),
    "system": End(
        ("unknown_code",),
        {},
        "system_error",
        "The login could not be read completely.\nunknown_code: SOMETHING_NEW. ",
        {"unknown_code": "failed"},
    ),
}
"""How a process can fail."""


@pytest.fixture(scope="module")
def runs(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Run every kind of end as a process."""
    connector = Connector(tmp_path_factory.mktemp("ends"))

    def read(*logins: str, **options: Any) -> Callable[[], Run]:
        entries = ({"username": name} for name in logins)
        return partial(connector.read, fleet_at(simulator, *entries, **options))

    calls = {name: read(*end.logins, **end.options) for name, end in ENDS.items()}
    calls["success"] = read("instant", "wrong_password")
    return dict(zip(calls, together(*calls.values()), strict=True))


def test_a_process_succeeds_with_a_hole_in_it(runs: dict[str, Run]) -> None:
    """Exit code 0, every stream COMPLETE, no error, and one warning that names the login and what to do."""
    run = runs["success"]
    assert run.code == 0
    assert {row["connection_key"]: row["status"] for row in run.rows("connections")} == {
        "instant": "ready",
        "wrong_password": "needs_user",
    }
    assert {stream: run.statuses(stream)[-1] for stream in ALL_STREAMS} == dict.fromkeys(ALL_STREAMS, "COMPLETE")
    assert run.errors == []
    (warning,) = [line for line in run.logs("WARN") if line.startswith("wrong_password: ")]
    assert CREDENTIALS.words in warning
    assert len(run.states) == len(ALL_STREAMS)


@pytest.mark.parametrize("name", ENDS)
def test_a_process_fails_with_one_error_after_everything_was_sent(name: str, runs: dict[str, Run]) -> None:
    """Exit code 1; rows, states and statuses first, then one FATAL line and one trace with the type of the failure."""
    run, end = runs[name], ENDS[name]
    assert run.code == 1
    assert {row["connection_key"]: row["status"] for row in run.rows("connections")} == end.rows
    assert {stream: run.statuses(stream)[-1] for stream in ALL_STREAMS} == {
        stream: "COMPLETE" if stream == "connections" else "INCOMPLETE" for stream in ALL_STREAMS
    }
    assert {state["stream"]["stream_descriptor"]["name"] for state in run.of("STATE")} == set(ALL_STREAMS)
    (error,) = run.errors
    assert (error["failure_type"], run.messages[-1]["type"]) == (end.failure, "TRACE")
    assert error["message"].startswith(end.message)
    (fatal,) = run.logs("FATAL")
    assert fatal.startswith(error["message"])
