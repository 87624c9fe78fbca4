"""From events to messages, where a whole run cannot lead: errors of ours that no document is known to provoke."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

from airbyte_cdk.models import AirbyteMessage

from linkless_simulator.backend import Backend
from source_linkless.bills.content import Rows
from source_linkless.config import parse_config
from source_linkless.linking.events import Delivered, Event, Finished
from source_linkless.provider.outcomes import READY
from source_linkless.sync.output import Messages
from source_linkless.sync.sync import SelectedStream, SyncMessages, selected_streams
from testing.worlds import TODAY, Sync, World, catalog_of


class Broken:
    """The changes of a stream that stumble over one connection."""

    def __init__(self, changes: Any) -> None:
        self._changes = changes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._changes, name)

    def rows(self, connection_key: str, document: Any, account: Any) -> Iterator[Rows]:
        """Raise for the connection named odd, with a text that must not be shown."""
        if connection_key == "odd":
            message = "the content of a bill"
            raise KeyError(message)
        yield from self._changes.rows(connection_key, document, account)


def test_a_document_that_nobody_foresaw_costs_one_login(caplog: Any) -> None:
    """Its row says where the connector stumbled, without a word of the content; the others arrive."""
    world = World()
    config = world.fleet(["odd", "instant"])
    parsed = parse_config(config)
    streams = selected_streams(catalog_of(["statements", "connections"]), None, parsed)
    _break(streams[0])
    documents = Backend(today=TODAY)
    body = json.dumps(documents.document("instant")).encode()
    events: list[Event] = []
    for login in parsed.logins:
        events += [Delivered(login, None, body), Finished(login, READY, None, None, 1.0)]
    logger = logging.getLogger("airbyte")
    messages = SyncMessages(config, parsed, streams, now=world.surroundings().now, logger=logger, output=Messages())
    sync = Sync(list[AirbyteMessage](messages.of(events)))
    row = sync.row("odd")
    assert (row["status"], row["reason"], row["actor"]) == ("failed", "UNEXPECTED_ERROR_HERE", "connector")
    assert (sync.row("instant")["status"], len(sync.rows("statements"))) == ("ready", 36)
    assert "(KeyError in test_sync, line " in caplog.text
    assert "the content of a bill" not in caplog.text
    assert (sync.statuses("statements")[-1], sync.error) == ("COMPLETE", None)


def _break(stream: SelectedStream) -> None:
    stream.changes = Broken(stream.changes)  # type: ignore[assignment] # stands in for a stream with an error in it
