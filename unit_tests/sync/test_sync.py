"""From events to messages, where a whole run cannot lead: errors of ours that no document is known to provoke."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from airbyte_cdk.models import AirbyteMessage, AirbyteStateMessage

from linkless_simulator.backend import Backend
from source_linkless.bills.content import Rows
from source_linkless.config import parse_config
from source_linkless.linking.events import Delivered, Event, Finished
from source_linkless.provider import Context
from source_linkless.provider.outcomes import READY
from source_linkless.sync.output import Messages
from source_linkless.sync.sync import SelectedStream, SyncMessages
from testing.worlds import TODAY, Sync, World, catalog_of


class Broken:
    """The changes of a stream that stumble over one connection, in one method."""

    def __init__(self, changes: Any, method: str) -> None:
        self._changes, self._method = changes, method

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._changes, name)
        return partial(self._stumble, method) if name == self._method else method

    @staticmethod
    def _stumble(method: Any, connection_key: str, *others: Any) -> Iterator[Rows]:
        """Raise for the connection named odd, with a text that must not be shown."""
        if connection_key == "odd":
            message = "the content of a bill"
            raise KeyError(message)
        yield from method(connection_key, *others)


def read(method: str = "", context: Context | None = None) -> Sync:
    """Read two logins; one of them meets an error of ours in a method, or in what is known of its connection."""
    world = World()
    config = world.fleet(["odd", "instant"])
    parsed, output = parse_config(config), Messages()
    streams = [SelectedStream(one, (), parsed, output) for one in catalog_of(["connections", "statements"]).streams]
    streams[1].changes = Broken(streams[1].changes, method)  # type: ignore[assignment] # stands in for a stream with an error in it
    body = json.dumps(Backend(today=TODAY).document("instant")).encode()
    events: list[Event] = []
    for login in parsed.logins:
        known = context if login.key == "odd" else None
        events += [Delivered(login, None, body), Finished(login, READY, None, known, 1.0)]
    logger = logging.getLogger("airbyte")
    messages = SyncMessages(config, parsed, streams, now=world.surroundings().now, logger=logger, output=output)
    return Sync(list[AirbyteMessage](messages.of(events)))


def assert_odd_failed_alone(sync: Sync) -> None:
    """Hold a sync against the rule: one row for each login, the odd one failed, and the sync is complete."""
    assert len(sync.rows("connections")) == 2
    row = sync.row("odd")
    assert (row["status"], row["reason"], row["actor"]) == ("failed", "UNEXPECTED_ERROR_HERE", "connector")
    assert sync.row("instant")["status"] == "ready"
    assert (sync.statuses("statements")[-1], sync.error) == ("COMPLETE", None)


@pytest.mark.parametrize(("method", "bills"), [("rows", 36), ("vanished", 72)])
def test_a_document_that_nobody_foresaw_costs_one_login(method: str, bills: int, caplog: Any) -> None:
    """Its row says where the error is, without any of the content; the others arrive."""
    sync = read(method)
    assert_odd_failed_alone(sync)
    assert len(sync.rows("statements")) == bills
    assert "(KeyError in test_sync, line " in caplog.text
    assert "the content of a bill" not in caplog.text


@pytest.mark.parametrize("field", ["source_id", "accounts", "account_count"])
def test_facts_of_a_connection_that_nobody_foresaw_cost_one_login(field: str) -> None:
    """A value of an impossible type ends neither the sync nor the row of the login, which does without it."""
    known: dict[str, Any] = {field: object()}
    context = Context("c", None, None, "OK", None, None, (), None)
    assert_odd_failed_alone(read(context=replace(context, **known)))


def test_the_cursor_grows_although_the_clock_was_set_back() -> None:
    """For a login that delivers and for one that fails."""
    world = World()
    config = world.fleet(["instant", "broken"])
    first = world.read(config)
    world.step_clock(-86_400)
    second = world.read(config, state=first.states)
    for key in ("instant", "broken"):
        assert first.row(key)["observed_at"] < second.row(key)["observed_at"]


def test_lines_that_were_there_in_an_earlier_sync_are_missed() -> None:
    """A login whose bills lose all their charges is told of; one whose bills never had a charge is not."""
    world = World()
    config = world.config(username="instant")
    bill = {"statement_id": "s1", "total_due_amount": 5}
    told = []
    states: Sequence[AirbyteStateMessage] = ()
    for charges in ([], [{"charge_name": "Energy", "amount": 5}], []):
        accounts = [{"account_number": "A", "statements": [{**bill, "charges": charges}]}]
        world.backend.deliver("instant", {"accounts": accounts})
        sync = world.read(config, state=states)
        config, states = sync.config or config, sync.states
        told.append("had no line that is known" in sync.row("site").get("message", ""))
    assert told == [False, False, True]
