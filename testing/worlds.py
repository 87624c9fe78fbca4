"""A whole world for the connector in one process: the simulator's rules, virtual time, a fixed date, no randomness.

world = World()
sync = world.read(world.config(username="user_good"))
assert sync.rows("connections")[0]["status"] == "ready"
assert world.count("/link/connect") == 1
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pendulum
from airbyte_cdk.models import (
    AirbyteMessage,
    AirbyteStateMessage,
    ConfiguredAirbyteCatalog,
    ConfiguredAirbyteStream,
    DestinationSyncMode,
    FailureType,
    SyncMode,
    Type,
)
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from linkless_simulator.backend import CLIENT_ID, SECRET, Backend
from linkless_simulator.bills import Sizes
from linkless_simulator.sources import ORDINARY
from source_linkless import SourceLinkless
from source_linkless.config import Config, Links, parse_config
from source_linkless.errors import Problem
from source_linkless.linking import Surroundings, check_all
from source_linkless.linking.events import Event, LinksChanged
from source_linkless.provider.outcomes import OWN_CODES
from source_linkless.provider.transport import Answer, Request, Transport
from source_linkless.streams import STREAMS, catalog_streams
from source_linkless.sync.output import Output
from testing.jumping_loop import JumpingLoop

TODAY = date(2026, 11, 22)
ALL_STREAMS = tuple(name for name, stream in STREAMS.items() if not stream.has_files)
"""Every stream but `statement_files`, which is opt-in."""


@dataclass
class Sync:
    """The messages of one read, and how it ended."""

    messages: list[AirbyteMessage] = field(default_factory=list)
    error: AirbyteTracedException | None = None

    def rows(self, stream: str) -> list[dict[str, Any]]:
        """Return the records of a stream in the order sent."""
        records = [message.record for message in self.messages if message.record is not None]
        return [record.data for record in records if record.stream == stream]

    def row(self, key: str) -> dict[str, Any]:
        """Return the row of `connections` for a key."""
        (row,) = [row for row in self.rows("connections") if row["connection_key"] == key]
        return row

    @property
    def states(self) -> list[AirbyteStateMessage]:
        """The last state of every stream, for the next read."""
        last = {
            message.state.stream.stream_descriptor.name: message.state
            for message in self.messages
            if message.state is not None and message.state.stream is not None
        }
        return list(last.values())

    @property
    def config(self) -> dict[str, Any] | None:
        """The configuration as it was last written back, if it was."""
        written = [
            message.control.connectorConfig.config
            for message in self.messages
            if message.control is not None and message.control.connectorConfig is not None
        ]
        return dict(written[-1]) if written else None

    def statuses(self, stream: str) -> list[str]:
        """Return the statuses of a stream in the order sent."""
        traces = [message.trace.stream_status for message in self.messages if message.trace is not None]
        return [one.status.value for one in traces if one is not None and one.stream_descriptor.name == stream]

    @property
    def failure_type(self) -> FailureType | None:
        """The type of the error that ended the read."""
        return self.error.failure_type if self.error else None


class World:
    """One provider, one clock, and connectors that use them; `latency` is in virtual seconds."""

    def __init__(
        self,
        *,
        latency: float = 0.0,
        backend: Backend | None = None,
        is_cloud: bool = False,
        sizes: Sizes = Sizes(),  # noqa: B008 - a frozen value
    ) -> None:
        """Start with an empty provider."""
        self._loop: JumpingLoop | None = None
        self._passed = self._stepped = 0.0
        self.backend = backend or Backend(self.seconds, today=TODAY, sizes=sizes)
        self._latency, self._is_cloud = latency, is_cloud
        self.masked: list[str] = []
        self._cuts: dict[str, Problem] = {}
        self._left_out: dict[str, str] = {}

    def seconds(self) -> float:
        """Return the virtual seconds since the world began, over all runs."""
        return self._passed + (self._loop.now if self._loop else 0.0)

    def pass_time(self, seconds: float) -> None:
        """Let time pass between two runs."""
        self._passed += seconds

    def step_clock(self, seconds: float) -> None:
        """Set the connector's wall clock forward or back, and no other clock."""
        self._stepped += seconds

    def count(self, path: str, username: str | None = None) -> int:
        """Return how often a path was requested."""
        return self.backend.count(path, username)

    def config(self, *, username: str = "user_good", password: str = "pass_good", **options: Any) -> dict[str, Any]:
        """Make a configuration with one login; `options` replace or add properties."""
        login = {
            "method": "login",
            "source_id": ORDINARY.source_id,
            "username": username,
            "password": password,
            "key": "site",
        }
        base = {"environment": "sandbox", "client_id": CLIENT_ID, "secret": SECRET, "connection": login}
        return {**base, **options}

    def fleet(self, entries: Iterable[str | Mapping[str, Any]], **options: Any) -> dict[str, Any]:
        """Make a configuration with a list of logins: names of stories, or whole entries. A name is its key too."""
        whole = [self.entry(one) if isinstance(one, str) else dict(one) for one in entries]
        return self.config(connection={"method": "fleet", "connections": json.dumps(whole)}, **options)

    @staticmethod
    def entry(username: str, **changes: Any) -> dict[str, Any]:
        """Make one entry of a list."""
        login = {"key": username, "source_id": ORDINARY.source_id, "username": username, "password": "pass_good"}
        return {**login, **changes}

    def source(self, output: Output | None = None) -> SourceLinkless:
        """Make a connector in this world."""
        return SourceLinkless(self.surroundings(), output)

    def surroundings(self) -> Surroundings:
        """Return what a connector in this world takes from outside."""
        return Surroundings(
            new_transport=self.new_transport,
            new_loop=self._new_loop,
            now=lambda: pendulum.datetime(TODAY.year, TODAY.month, TODAY.day, 12).add(
                seconds=self.seconds() + self._stepped
            ),
            chance=lambda: 1.0,
            new_salt=lambda: "salt-of-the-tests",
            is_cloud=lambda: self._is_cloud,
            mask=self.masked.append,
        )

    def read(
        self,
        config: Mapping[str, Any],
        *,
        state: Sequence[AirbyteStateMessage] = (),
        catalog: ConfiguredAirbyteCatalog | None = None,
        output: Output | None = None,
    ) -> Sync:
        """Run a whole read; an error that ends it is kept beside its messages."""
        sync = Sync()
        messages = self.source(output).read(logging.getLogger("airbyte"), config, catalog or catalog_of(), list(state))
        try:
            sync.messages.extend(messages)
        except AirbyteTracedException as error:
            sync.error = error
        return sync

    def checked(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Run a whole check; return the configuration as it was last written back."""
        surroundings, parsed = self.surroundings(), parse_config(config)
        written = dict(config)

        async def emit(event: Event, *, urgent: bool = False) -> None:
            if isinstance(event, LinksChanged):
                written["links"] = event.links

        links = Links(parsed, surroundings.now, surroundings.new_salt)
        with asyncio.Runner(loop_factory=surroundings.new_loop) as runner:
            runner.run(check_all(parsed, links, surroundings, emit))
        return written

    def leave_out(self, path: str, name: str) -> None:
        """Let the provider leave a property out of every answer to a path."""
        self._left_out[path] = name

    def cut(self, path: str, reason: str, *, reached: bool) -> None:
        """Let the next request to a path end without an answer; one that reached the provider is carried out."""
        self._cuts[path] = Problem(reason, OWN_CODES[reason], detail=path, reached=reached)

    def _new_loop(self) -> asyncio.AbstractEventLoop:
        self._passed = self.seconds()
        self._loop = JumpingLoop()
        return self._loop

    def new_transport(self, config: Config) -> Transport:
        """Return a transport that calls the rules of the provider directly, in virtual time."""
        headers = {
            "x-deck-client-id": config.client_id,
            "x-deck-secret": config.secret,
            "content-type": "application/json",
        }

        async def send(request: Request) -> Answer:
            await asyncio.sleep(self._latency)
            cut = self._cuts.pop(request.path, None)
            if cut and not cut.reached:
                raise cut
            method = "GET" if request.body is None else "POST"
            answer = self.backend.answer(method, request.path, headers, request.body or b"")
            if cut:
                raise cut
            headers_of = {name.lower(): text for name, text in answer.headers.items()}
            return Answer(answer.status, headers_of, self._shortened(request.path, answer.body))

        return send

    def _shortened(self, path: str, body: bytes) -> bytes:
        name = self._left_out.get(path)
        return json.dumps({**json.loads(body), name: None}).encode() if name else body


def catalog_of(
    names: Iterable[str] = ALL_STREAMS,
    mode: SyncMode = SyncMode.incremental,
    destination: DestinationSyncMode = DestinationSyncMode.append_dedup,
    **generations: int,
) -> ConfiguredAirbyteCatalog:
    """Select streams; `generations` are generation_id and minimum_generation_id."""
    known = {stream.name: stream for stream in catalog_streams()}
    return ConfiguredAirbyteCatalog(
        streams=[
            ConfiguredAirbyteStream(
                stream=known[name], sync_mode=mode, destination_sync_mode=destination, **generations
            )
            for name in names
        ]
    )


def records(messages: Iterable[AirbyteMessage]) -> list[dict[str, Any]]:
    """Return the data of all records."""
    return [message.record.data for message in messages if message.type is Type.RECORD and message.record]
