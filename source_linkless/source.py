"""SourceLinkless: spec, check, discover and read; wiring only."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from airbyte_cdk.config_observation import emit_configuration_as_airbyte_control_message
from airbyte_cdk.models import (
    AirbyteCatalog,
    AirbyteConnectionStatus,
    AirbyteMessage,
    AirbyteStateMessage,
    ConfiguredAirbyteCatalog,
)
from airbyte_cdk.sources.source import Source

from source_linkless.concurrency.handover import events
from source_linkless.config import masking
from source_linkless.errors import Problem, invalid_state
from source_linkless.linking.checking import check_all
from source_linkless.linking.events import Event, Finished, LinksChanged, Moved
from source_linkless.linking.orchestration import Surroundings, opened, sync_all
from source_linkless.streams import catalog_streams
from source_linkless.sync.check_report import CheckReport
from source_linkless.sync.output import Messages, Output
from source_linkless.sync.sync import SyncMessages, selected_streams


class SourceLinkless(Source):
    """Airbyte source for utility bills behind portal logins.

    `surroundings` are the network, the clocks and chance; only tests pass their own. `output` takes the records of a
    read; without one they are messages like all others.
    """

    check_config_against_spec = False  # our own validation says more and never prints a value

    def __init__(self, surroundings: Surroundings | None = None, output: Output | None = None) -> None:
        """Build without touching the network."""
        self._surroundings = surroundings or Surroundings()
        self._output = output or Messages()

    def configure(self, config: Mapping[str, Any], temp_dir: str) -> Mapping[str, Any]:  # noqa: ARG002 - the CDK's signature
        """Take the configuration as it is; unlike the CDK's, without writing its secrets into a temporary file."""
        return config

    @classmethod
    def read_state(cls, state_path: str) -> list[AirbyteStateMessage]:
        """Read the file of the incoming state; raises a config error where the CDK would end with a trace."""
        with suppress(ValueError, TypeError):
            return super().read_state(state_path)
        raise invalid_state(
            "The file of the state cannot be read: it must hold an array of the last state of each stream; [] loads "
            "everything again."
        )

    def discover(self, logger: logging.Logger, config: Mapping[str, Any]) -> AirbyteCatalog:  # noqa: ARG002 - the CDK's signature
        """Return the catalog, without any network."""
        return AirbyteCatalog(streams=catalog_streams())

    def check(self, logger: logging.Logger, config: Mapping[str, Any]) -> AirbyteConnectionStatus:
        """Prove configuration, keys and logins; see `checking`.

        Returns FAILED when the configuration or the keys are wrong or when a sync could deliver nothing; raises a
        transient error when the provider is out of reach.
        """
        parsed, links = opened(config, self._surroundings)
        report = CheckReport(parsed)
        try:
            for event in self._events(partial(check_all, parsed, links, self._surroundings)):
                match event:
                    case LinksChanged():
                        emit_configuration_as_airbyte_control_message({**config, "links": event.links})
                    case Finished():
                        report.add(event)
                    case Moved():
                        logger.info("%s", event.waiting)
        except Problem as problem:
            return _without_secrets(report.without_logins(problem))
        return _without_secrets(report.status())

    def read(
        self,
        logger: logging.Logger,
        config: Mapping[str, Any],
        catalog: ConfiguredAirbyteCatalog,
        state: list[AirbyteStateMessage] | None = None,
    ) -> Iterable[AirbyteMessage]:
        """Open every login, wait for all at once, and yield what changed; see `sync` and `orchestration`."""
        parsed, links = opened(config, self._surroundings)
        messages = SyncMessages(
            config,
            parsed,
            selected_streams(catalog, state, parsed),
            now=self._surroundings.now,
            logger=logger,
            output=self._output,
        )
        return messages.of(self._events(partial(sync_all, parsed, links, self._surroundings)))

    def _events(self, main: Any) -> Iterator[Event]:
        return events(main, new_loop=self._surroundings.new_loop, before_waiting=self._output.flush)


def _without_secrets(status: AirbyteConnectionStatus) -> AirbyteConnectionStatus:
    """Mask the answer of a check like a line of the log: the CDK does not."""
    return AirbyteConnectionStatus(status=status.status, message=masking.hidden(status.message or ""))
