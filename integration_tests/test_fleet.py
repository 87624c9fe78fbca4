"""A thousand logins of which thirty fail: what arrives, what is said, and how the sync ends, in every mode."""

from __future__ import annotations

import csv
import io
import itertools
import json
import logging
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from airbyte_cdk.models import DestinationSyncMode, FailureType, SyncMode

from linkless_simulator import Simulator
from linkless_simulator.bills import Sizes
from source_linkless.config import Links
from testing.connector import PROGRAM, Connector, catalog_json, ended, fleet_at
from testing.worlds import ALL_STREAMS, Sync, World, catalog_of

SMALL = Sizes(accounts=1, statements=1, charges=1)

FAILING = {
    "wrong_password": ("needs_user", "InvalidCredentials", "user"),
    "invalid_credentials": ("needs_user", "INVALID_CREDENTIALS", "user"),
    "locked": ("needs_user", "CONNECTION_LOCKED", "user"),
    "consent": ("needs_user", "CONSENT_REQUIRED", "user"),
    "blocked_by_pin": ("needs_user", "BLOCKED_BY_PIN", "user"),
    "mfa": ("needs_user", "MfaQuestion", "user"),
    "mfa_method": ("needs_user", "MfaMethodChoice", "user"),
    "captcha": ("needs_user", "Captcha", "user"),
    "security_question": ("needs_user", "SecurityQuestion", "user"),
    "account_selection": ("needs_user", "AccountSelection", "user"),
    "needs_action": ("needs_user", "MfaActionRequired", "user"),
    "connection_failed": ("failed", "CONNECTION_FAILED", "utility"),
    "error": ("failed", "Error", "utility"),
    "not_enabled": ("failed", "PRODUCT_NOT_ENABLED", "user"),
    "source_unknown": ("failed", "INVALID_SOURCE", "user"),
    "source_gone": ("failed", "DATA_SOURCE_NOT_FOUND", "user"),
    "unauthorized": ("failed", "HTTP_401", "user"),
    "product_gone": ("failed", "HTTP_404", "user"),
    "exchange_500": ("failed", "HTTP_500", "provider"),
    "unknown_code": ("failed", "SOMETHING_NEW", "connector"),
}
"""Stories that no repeated sync cures within minutes, and what their rows say: status, reason, actor."""
TRANSIENT = {
    "never_connects": ("pending", "Connecting", "provider"),
    "never_ready": ("pending", "PRODUCT_NOT_READY", "provider"),
    "outage": ("failed", "HTTP_500", "provider"),
}
"""Stories that a later sync may find over."""
TOGETHER = FAILING | TRANSIENT
DATA_STREAMS = [name for name in ALL_STREAMS if name != "connections"]


def failing(number: int) -> list[str]:
    """Return the names of so many logins that fail, in all the ways there are."""
    return [f"{name}+{count}" for count, name in zip(range(number), itertools.cycle(TOGETHER), strict=False)]


def fleet_of(good: int, bad: int) -> tuple[World, dict[str, Any]]:
    """Return a world and the configuration of a fleet whose failing logins stand all over its list."""
    world = World(sizes=SMALL)
    names = [f"instant+{number}" for number in range(good)]
    for number, name in enumerate(failing(bad)):
        names.insert(number * (good + bad) // bad, name)
    return world, world.fleet(names, max_requests_per_second=1_000, data_timeout_minutes=3)


@pytest.fixture(scope="module")
def report() -> Sync:
    """Read the thousand in the default mode, once for all tests that look at it."""
    world, config = fleet_of(970, 30)
    return world.read(config)


def test_every_login_that_works_arrives(report: Sync) -> None:
    """Thirty failing logins cost the others no record."""
    for stream in ("sustainability", "accounts", "statements", "charges"):
        assert {row["connection_key"] for row in report.rows(stream)} == {f"instant+{n}" for n in range(970)}


def test_every_login_that_fails_says_why_and_who_must_act(report: Sync) -> None:
    """Each configured login has exactly one row; a failed one names its reason, who must act, and what to do."""
    rows = {row["connection_key"]: row for row in report.rows("connections")}
    failed = {
        key: (row["status"], row["reason"], row["actor"]) for key, row in rows.items() if row["status"] != "ready"
    }
    assert len(rows) == len(report.rows("connections")) == 1_000
    assert failed == {key: TOGETHER[key.partition("+")[0]] for key in failing(30)}
    assert all(rows[key]["message"] for key in failed)


def test_a_hole_that_is_reported_does_not_fail_the_sync(report: Sync) -> None:
    """With `report` the run succeeds as long as one login works: the holes are rows."""
    assert report.error is None
    assert {tuple(report.statuses(stream)) for stream in ALL_STREAMS} == {("STARTED", "RUNNING", "COMPLETE")}


INCREMENTAL, FULL = SyncMode.incremental, SyncMode.full_refresh
OVERWRITE, DEDUP, APPEND = DestinationSyncMode.overwrite, DestinationSyncMode.append_dedup, DestinationSyncMode.append
REPLACED = {
    "overwrite hidden behind a generation": catalog_of(
        mode=FULL, destination=APPEND, generation_id=3, minimum_generation_id=3
    ),
    "refresh and remove": catalog_of(mode=INCREMENTAL, destination=DEDUP, generation_id=1, minimum_generation_id=1),
    "overwrite without generations": catalog_of(mode=FULL, destination=OVERWRITE),
}
KEPT = {
    "first generation": catalog_of(mode=INCREMENTAL, destination=DEDUP, generation_id=0, minimum_generation_id=0),
    "refresh and retain": catalog_of(mode=FULL, destination=APPEND, generation_id=4, minimum_generation_id=0),
    "an earlier minimum": catalog_of(mode=FULL, destination=OVERWRITE, generation_id=4, minimum_generation_id=3),
    "what PyAirbyte sends": catalog_of(mode=INCREMENTAL, destination=OVERWRITE),
}


@pytest.mark.parametrize("catalog", REPLACED.values(), ids=REPLACED)
def test_a_table_that_would_lose_rows_is_protected(catalog: Any) -> None:
    """Where the destination replaces tables, a hole fails the run after everything was sent."""
    world, config = fleet_of(70, 30)
    assert_failed(world.read(config, catalog=catalog), "would lose their rows")


@pytest.mark.parametrize("catalog", KEPT.values(), ids=KEPT)
def test_a_table_that_keeps_its_rows_needs_no_protection(catalog: Any) -> None:
    """Where no row is deleted, a hole is a row like any other."""
    world, config = fleet_of(70, 30)
    sync = world.read(config, catalog=catalog)
    assert sync.error is None
    assert {tuple(sync.statuses(stream)) for stream in ALL_STREAMS} == {("STARTED", "RUNNING", "COMPLETE")}


def test_the_connections_table_alone_is_never_protected() -> None:
    """Its rows are about the holes: replacing it loses nothing."""
    world, config = fleet_of(70, 30)
    assert world.read(config, catalog=catalog_of(["connections"], mode=FULL, destination=OVERWRITE)).error is None


def test_a_user_who_wants_no_hole_gets_a_failed_sync() -> None:
    """With `fail` any hole fails the run, after everything was sent."""
    world, config = fleet_of(70, 30)
    assert_failed(world.read({**config, "failed_connections": "fail"}), "could not be read completely")


def assert_failed(sync: Sync, why: str) -> None:
    """Expect a run that failed for its holes: everything sent, streams incomplete, one error that names each hole."""
    assert sync.error is not None
    message = sync.error.message or ""
    assert message.startswith("30 of 100 logins")
    assert why in message
    assert [key for key in failing(30) if key not in message] == []
    assert sync.failure_type is FailureType.transient_error
    assert [sync.statuses(stream)[-1] for stream in DATA_STREAMS] == ["INCOMPLETE"] * len(DATA_STREAMS)
    assert sync.statuses("connections")[-1] == "COMPLETE"
    assert len({row["connection_key"] for row in sync.rows("statements")}) == 70
    assert len(sync.rows("connections")) == 100
    assert len(sync.states) == len(ALL_STREAMS)


def test_holes_that_no_repetition_cures_do_not_ask_for_one() -> None:
    """Without a transient hole the platform is told not to try again within minutes."""
    world = World(sizes=SMALL)
    sync = world.read(world.fleet(["instant", *FAILING], failed_connections="fail"))
    assert sync.failure_type is FailureType.config_error


def test_the_error_about_a_thousand_holes_stays_readable() -> None:
    """A fleet that is refused as a whole is named by its first keys and a number."""
    world = World()
    sync = world.read(world.fleet([f"locked+{number}" for number in range(1_000)], max_requests_per_second=1_000))
    assert sync.error is not None
    message = sync.error.message or ""
    assert message.startswith("1000 of 1000 logins could not be read completely.")
    assert "and 975 more (see the stream connections)" in message
    assert len(message) < 1_000
    assert len(sync.rows("connections")) == 1_000


@pytest.mark.parametrize("mode", ["report", "fail"])
def test_the_process_ends_as_the_mode_says(simulator: Simulator, tmp_path: Path, mode: str) -> None:
    """The exit code is 0 where holes are reported and 1 where they fail; both ways everything was sent before."""
    names = [f"{name}+{mode}" for name in [*(f"user_good+{number}" for number in range(20)), *FAILING]]
    config = fleet_at(simulator, *({"username": name} for name in names), failed_connections=mode)
    ended = Connector(tmp_path).read(config)
    assert ended.code == {"report": 0, "fail": 1}[mode]
    assert [error["failure_type"] for error in ended.errors] == {"report": [], "fail": ["config_error"]}[mode]
    assert len({row["connection_key"] for row in ended.rows("accounts")}) == 20
    assert len(ended.rows("connections")) == 20 + len(FAILING)
    assert ended.statuses("accounts")[-1] == {"report": "COMPLETE", "fail": "INCOMPLETE"}[mode]
    assert ended.statuses("connections")[-1] == "COMPLETE"


def test_a_newly_pasted_list_keeps_the_links_of_its_keys() -> None:
    """Who edits a fleet pastes the whole list again: only what is new in it is linked."""
    world = World(sizes=SMALL)
    kept = world.read(world.fleet(["instant+a", "instant+b"])).config
    assert kept is not None
    pasted = world.fleet(["instant+c", "instant+b"], links=kept["links"])
    sync = world.read(pasted)
    assert [row["connection_key"] for row in sync.rows("connections")] == ["instant+b", "instant+c"]
    assert [world.backend.submissions(f"instant+{name}") for name in "abc"] == [1, 1, 1]
    assert sync.config is not None
    assert sync.config == {**pasted, "links": sync.config["links"]}
    assert set(json.loads(sync.config["links"])["connections"]) == {"instant+a", "instant+b", "instant+c"}


def test_a_list_from_a_spreadsheet_is_read_like_any_other() -> None:
    """CSV and JSON lists mean the same: here a login to be linked beside a token."""
    world = World(sizes=SMALL)
    token = world.backend.link("instant+old")
    entries = [World.entry("instant+new"), {"key": "instant+old", "access_token": token}]
    text = io.StringIO()
    writer = csv.DictWriter(text, ["key", "source_id", "username", "password", "access_token"])
    writer.writeheader()
    writer.writerows(entries)
    sync = world.read(world.config(connection={"method": "fleet", "connections": text.getvalue()}))
    assert sync.error is None
    assert {row["connection_key"]: row["status"] for row in sync.rows("connections")} == {
        "instant+new": "ready",
        "instant+old": "ready",
    }


def test_on_cloud_no_login_is_submitted_whose_link_would_not_fit() -> None:
    """A link that outgrows the secret store would be lost, and its login submitted again by every sync."""
    world = World(sizes=SMALL, is_cloud=True)
    names = [f"instant+{number}" for number in range(500)]
    sync = world.read(world.fleet(names, max_requests_per_second=1_000))
    assert sync.config is not None
    remembered = json.loads(sync.config["links"])["connections"]
    submitted = [name for name in names if world.backend.submissions(name)]
    full = [row for row in sync.rows("connections") if row.get("reason") == "CONFIGURATION_FULL"]
    assert 50_000 <= len(sync.config["links"]) <= Links.LIMIT_BYTES
    assert submitted == [name for name in names if "access_token" in remembered.get(name, {})]
    assert len(full) == 500 - len(submitted)
    assert {(row["status"], row["actor"]) for row in full} == {("failed", "user")}


def test_elsewhere_a_large_fleet_is_warned_of_its_size_once(caplog: pytest.LogCaptureFixture) -> None:
    """Above 60 KB the log says how large the links have become; every login is linked all the same."""
    world = World(sizes=SMALL)
    config = world.fleet([f"instant+{number}" for number in range(400)], max_requests_per_second=100)
    with caplog.at_level(logging.WARNING):
        list(world.source().read(logging.getLogger(__name__), config, catalog_of()))
    told = [message for message in caplog.messages if "'links'" in message]
    assert "".join(told) == (
        "The property 'links', where the connector remembers its links, has grown to 63 KB. Secret stores commonly "
        "take 64 KB for one value: spread the logins over several sources, or links may be lost."
    )


GIGABYTE = 2**20  # in the units of ulimit
STACK = 4 * GIGABYTE


@pytest.mark.parametrize(
    ("stacks", "code", "ends"), [(5, 0, ("ready", None)), (3, 1, ("failed", "NO_THREADS"))], ids=["few", "none"]
)
def test_a_limit_of_threads_stops_nobody_before_it_must(
    simulator: Simulator, tmp_path: Path, stacks: int, code: int, ends: tuple[str, str | None]
) -> None:
    """The threads that the system allows do the work; without any for requests, nothing is submitted and all is told.

    The stack of a thread is made so large that there is room for a few: a limit that holds for root, too.
    """
    usernames = [f"instant+threads{stacks}-{number}" for number in range(26)]
    (tmp_path / "config").write_text(json.dumps(fleet_at(simulator, *({"username": name} for name in usernames))))
    (tmp_path / "catalog").write_text(json.dumps(catalog_json(["connections"])))
    limits = f"set -e; ulimit -s {STACK}; ulimit -v {stacks * STACK + 2 * GIGABYTE}"
    command = ["read", "--config", "config", "--catalog", "catalog"]
    process = subprocess.Popen(
        ["/bin/sh", "-c", f'{limits}; exec "$@"', "sh", str(PROGRAM), *command],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    run = ended(process)
    assert Counter((row["status"], row.get("reason")) for row in run.rows("connections")) == {ends: 26}
    assert (run.code, run.stderr) == (code, "")
    assert "Traceback" not in run.stdout
    submitted = {name: simulator.backend.count("/link/connect", name) for name in usernames}
    assert submitted == dict.fromkeys(usernames, 1 - code)
