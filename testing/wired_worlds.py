"""A world whose connector uses real sockets, through a front that can damage answers; waits stay virtual.

with Front() as front:
    world = WiredWorld(front)
    front.arm("reset", "/link/connect")
    sync = world.read(world.config(username="instant"))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from tempfile import TemporaryFile
from typing import Any

from airbyte_cdk.models import AirbyteStateMessage, ConfiguredAirbyteCatalog

from linkless_simulator.front import Front
from source_linkless.config import Config
from source_linkless.provider.transport import ORDINARY, Answer, HttpTransport, NewFile, Request, Transport
from source_linkless.sync.output import Output
from testing.worlds import Sync, World

_HASTY = replace(ORDINARY, read=0.1, total=0.15)
"""Short limits for a slow peer, instead of minutes."""


class WiredWorld(World):
    """One provider behind a front, and connectors with the real transport. Worlds share the front one after another."""

    def __init__(self, front: Front, *, new_file: NewFile = TemporaryFile, **options: Any) -> None:
        """Put this world's provider behind the front, without any fault."""
        super().__init__(**options)
        self._front, self._new_file = front, new_file
        self._open: ExitStack | None = None
        self._during: Callable[[], object] = lambda: None
        front.disarm()
        front.backend = self.backend
        front.elsewhere.seen.clear()

    def config(self, *, username: str = "user_good", password: str = "pass_good", **options: Any) -> dict[str, Any]:
        """Make a configuration with one login, at the front's address."""
        return super().config(username=username, password=password, **{"api_url": self._front.url, **options})

    def read(
        self,
        config: Mapping[str, Any],
        *,
        state: Sequence[AirbyteStateMessage] = (),
        catalog: ConfiguredAirbyteCatalog | None = None,
        output: Output | None = None,
        during: Callable[[], object] = lambda: None,
    ) -> Sync:
        """Run a whole read, and close its connections; `during` is called before a document is asked for."""
        with ExitStack() as self._open:
            self._during = during
            return super().read(config, state=state, catalog=catalog, output=output)

    @staticmethod
    def hasty_transport(config: Config) -> HttpTransport:
        """Return a real transport that gives a slow peer up at once."""
        return HttpTransport(config, ordinary=_HASTY, document=_HASTY)

    def new_transport(self, config: Config) -> Transport:
        """Return the real transport, with short limits where a fault is armed, because real time is costly."""
        assert self._open is not None
        usual = self._open.enter_context(closing(HttpTransport(config, new_file=self._new_file)))
        hasty = self._open.enter_context(closing(self.hasty_transport(config)))

        async def send(request: Request) -> Answer:
            if request.large:
                self._during()
            transport = hasty if self._front.is_slow(request.path) else usual
            return await transport(request)

        return send
