"""What is written back into the configuration: in time, whole, valid, and enough to survive a kill at any moment."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from airbyte_cdk.models import Type
from jsonschema import Draft7Validator

from linkless_simulator import Simulator
from linkless_simulator.faults import Planned
from testing.connector import Connector, Run, catalog_json, fleet_at, login_at
from testing.worlds import World, catalog_of

CREATE, CONNECT, EXCHANGE = "/link/token/create", "/link/connect", "/connection/public_token/exchange"
STATUS = "/link/connection/status"
HELD_SECONDS = 600.0
SPEC = Path(__file__).parent.parent / "source_linkless" / "spec.yaml"
FORM = Draft7Validator(yaml.safe_load(SPEC.read_text(encoding="utf-8"))["connectionSpecification"])


def links_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a configuration remembers of its logins, by key."""
    known: dict[str, Any] = json.loads(config["links"])["connections"]
    return known


def assert_is_whole(written: Mapping[str, Any], original: Mapping[str, Any]) -> None:
    """Hold a written configuration against the form, and everything but the links against what the user wrote."""
    assert [error.message for error in FORM.iter_errors(written)] == []
    assert {name: value for name, value in written.items() if name != "links"} == {
        name: value for name, value in original.items() if name != "links"
    }


# One process, virtual time: the journal at the moment of each message


def read_with_journal(world: World, config: Mapping[str, Any]) -> list[tuple[dict[str, Any], list[str], float]]:
    """Read, and return of every write-back the configuration, the paths asked before it, and its moment."""
    found = []
    for message in world.source().read(logging.getLogger("airbyte"), config, catalog_of(), []):
        if message.type is Type.CONTROL and message.control and message.control.connectorConfig:
            paths = [entry.path for entry in world.backend.journal]
            found.append((dict(message.control.connectorConfig.config), paths, world.seconds()))
    return found


def test_a_submission_is_written_before_it_and_its_token_right_after() -> None:
    """The announcement comes before connect; the token comes within a second of the exchange, before any waiting."""
    world = World()
    config = world.config()
    (announced, before, _), (linked, after, at) = read_with_journal(world, config)
    assert before == ["/test/api_keys"]
    assert after == ["/test/api_keys", CREATE, CONNECT, EXCHANGE]
    assert "access_token" not in links_of(announced)["site"]
    assert len(links_of(announced)["site"]["submitted"]) == 1
    assert links_of(linked)["site"]["access_token"]
    (exchanged,) = [entry.at for entry in world.backend.journal if entry.path == EXCHANGE]
    assert at - exchanged <= 1.0
    assert_is_whole(announced, config)
    assert_is_whole(linked, config)


def test_a_fleet_is_announced_in_one_message_and_its_tokens_share_messages() -> None:
    """One message before the first connect; then at most about one a second; every token within a second."""
    world = World()
    logins = [f"user_good+{number}" for number in range(20)]
    config = world.fleet(logins, max_requests_per_second=10)
    (announced, before, _), *later = read_with_journal(world, config)
    assert before == ["/test/api_keys"]
    assert set(links_of(announced)) == set(logins)
    exchanges = {entry.username: entry.at for entry in world.backend.journal if entry.path == EXCHANGE}
    for name in logins:
        written = next(at for config_then, _, at in later if "access_token" in links_of(config_then)[name])
        assert written - exchanges[name] <= 1.0
    moments = [at for _, _, at in later]
    assert all(second - first >= 0.79 for first, second in pairwise(moments))
    for written_config, _, _ in later:
        assert_is_whole(written_config, config)


def test_a_refusal_is_written_with_the_word_of_the_provider() -> None:
    """The next run knows from the configuration alone that this login must not be submitted."""
    world = World()
    config = world.config(username="mfa")
    sync = world.read(config)
    assert sync.config is not None
    assert links_of(sync.config)["site"]["refused"] == "MfaQuestion"
    assert_is_whole(sync.config, config)


def test_what_stays_the_same_is_not_written() -> None:
    """A sync that linked nothing sends no configuration."""
    world = World()
    first = world.read(world.config())
    assert first.config is not None
    second = world.read(first.config, state=first.states)
    assert second.config is None


def test_the_links_of_logins_that_left_are_kept() -> None:
    """A login that comes back into the list is not linked again, and a new list leaves the links alone."""
    world = World()
    first = world.read(world.fleet(["instant+1", "instant+2"]))
    assert first.config is not None
    fewer = world.read({**first.config, **world.fleet(["instant+3"])})
    assert fewer.config is not None
    assert set(links_of(fewer.config)) == {"instant+1", "instant+2", "instant+3"}
    back = world.read({**fewer.config, **world.fleet(["instant+1", "instant+2"])})
    assert back.config is None
    assert world.count(CONNECT) == 3


def test_no_token_ever_stands_in_a_state_or_a_record() -> None:
    """States and records are shown to people and stored in the clear."""
    world = World()
    sync = world.read(world.fleet(["user_good", "undocumented", "wrong_password"]))
    assert sync.config is not None
    tokens = [link["access_token"] for link in links_of(sync.config).values()]
    assert len(tokens) == 3
    said = repr(sync.states) + "".join(repr(message) for message in sync.messages if message.type is not Type.CONTROL)
    assert [token for token in tokens if token in said] == []
    assert set(tokens) <= set(world.masked)


# Whole processes: killed at the worst moment


def killed_after(connector: Connector, config: Mapping[str, Any], controls: int) -> Run:
    """Start a read and kill it as soon as it has written `controls` configurations."""
    process = connector.start_read(config)
    assert process.stdout is not None
    taken = b""
    while taken.count(b'"CONNECTOR_CONFIG"') < controls:
        line = process.stdout.readline()
        assert line, "the process ended before it was killed"
        taken += line
    process.kill()
    process.communicate()
    return Run(process.returncode, taken.decode(), "")


def test_a_connector_killed_while_it_submits_does_so_twice_at_most(tmp_path: Path) -> None:
    """A run that is killed again and again still knows how often the login was submitted."""
    name, connector = "user_good+killed", Connector(tmp_path)
    with Simulator() as simulator:
        simulator.backend.plan(Planned(CONNECT, processed=True, delay=HELD_SECONDS, times=10))
        config = login_at(simulator, name)
        for _ in range(2):
            config = killed_after(connector, config, 1).written[-1]
        last = connector.read(config)
        assert last.code == 1
        assert last.errors[0]["failure_type"] == "config_error"
        assert "SUBMITTED_TWICE" in last.errors[0]["message"]
        assert simulator.backend.count(CONNECT) <= 2


def test_a_connector_killed_after_the_exchange_has_kept_its_token(tmp_path: Path) -> None:
    """The token is on standard output before anything is waited for: the next sync calls nothing of `/link/`."""
    name, connector = "user_good+kept", Connector(tmp_path)
    with Simulator() as simulator:
        simulator.backend.plan(Planned(STATUS, processed=True, delay=HELD_SECONDS, times=10))
        config = login_at(simulator, name)
        killed = killed_after(connector, config, 2)
        assert [entry.path for entry in simulator.backend.journal][:4] == ["/test/api_keys", CREATE, CONNECT, EXCHANGE]
        assert simulator.backend.count(EXCHANGE) == 1
        for written in killed.written:
            assert_is_whole(written, config)
        before = len(simulator.backend.journal)
        run = connector.read(killed.written[-1])
        assert run.code == 0
        assert run.rows("connections")[0]["status"] == "ready"
        later = [entry.path for entry in simulator.backend.journal[before:]]
        assert [path for path in later if path.startswith("/link/") and path != STATUS] == []


@pytest.mark.parametrize(
    ("left", "missing"),
    [(None, 3), ([], 3), (["instant+lost-0", "instant+lost-2"], 1), (["instant+lost-1"], 2)],
    ids=["no connections", "no entries", "one cut out", "two cut out"],
)
def test_links_that_were_cut_out_are_told_before_their_logins_are_submitted(
    simulator: Simulator, tmp_path: Path, left: list[str] | None, missing: int
) -> None:
    """A person has edited `links`: a WARN says how many logins are submitted again. The first sync says nothing."""
    config = fleet_at(simulator, *({"username": f"instant+lost-{number}"} for number in range(3)))
    connector = Connector(tmp_path)
    first = connector.read(config, catalog=catalog_json(["connections"]))
    links = json.loads(first.written[-1]["links"])
    connections = {} if left is None else {"connections": {key: links["connections"][key] for key in left}}
    edited_by_hand = {**config, "links": json.dumps({"salt": links["salt"]} | connections)}
    asked = simulator.backend.count(CONNECT)
    again = connector.read(edited_by_hand, catalog=catalog_json(["connections"]))
    sentence = f"'links' remembers nothing of {missing} of 3 logins, so they are submitted"
    assert [log for log in first.logs("WARN") if "remembers nothing" in log] == []
    assert len([log for log in again.logs("WARN") if log.startswith(sentence)]) == 1
    assert simulator.backend.count(CONNECT) - asked == missing
