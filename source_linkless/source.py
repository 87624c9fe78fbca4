"""SourceLinkless: spec, check, discover and read; wiring only."""

import logging
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from airbyte_cdk import models
from airbyte_cdk.config_observation import create_connector_config_control_message
from airbyte_cdk.sources.source import Source

from source_linkless import json_files
from source_linkless.concurrency import events_of
from source_linkless.config import Config, Links, masking, notices
from source_linkless.errors import Problem, invalid_configuration
from source_linkless.linking import Surroundings, check_all, events, opened, sync_all
from source_linkless.streams import catalog_streams
from source_linkless.sync import Messages, Output, SelectedStream, SyncMessages, check_status, say


@contextmanager
def _told_as_config_error() -> Iterator[None]:
    try:
        yield
    except json_files.FileProblem as problem:
        raise invalid_configuration(str(problem)) from None


class SourceLinkless(Source):
    """Airbyte source for utility bills behind portal logins.

    `surroundings` are the network, the clocks and chance; only tests pass their own. `output` takes the records of a
    read; without one they are messages like all others.
    """

    check_config_against_spec = False  # our own validation says more and never prints a value

    def __init__(self, surroundings: Surroundings | None = None, output: Output | None = None) -> None:
        self._surroundings = surroundings or Surroundings()
        self._output = output or Messages()

    def configure(self, config: Mapping[str, Any], temp_dir: str) -> Mapping[str, Any]:  # noqa: ARG002 - the CDK's signature
        """Take the configuration as it is; unlike the CDK's, without writing its secrets into a temporary file."""
        return config

    @staticmethod
    @_told_as_config_error()
    def read_config(config_path: str) -> MutableMapping[str, Any]:
        """Read the configuration file; raises a config error that names the file and the place."""
        return json_files.read_object(config_path, "configuration")

    @classmethod
    @_told_as_config_error()
    def read_catalog(cls, catalog_path: str) -> models.ConfiguredAirbyteCatalog:
        """Read the configured catalog; raises a config error that names the file and the place."""
        content = json_files.read_object(catalog_path, "catalog")
        try:
            return models.ConfiguredAirbyteCatalogSerializer.load(content)
        except Exception as error:  # noqa: BLE001 - the serialiser's own classes are no part of its interface
            place = next((one.instance_path for one in getattr(error, "errors", ())), "") or "a part of it"
        raise invalid_configuration(
            f"The catalog file {catalog_path} is not a configured catalog: {place} is missing or not what the protocol "
            "allows. `linkless catalog` prints one."
        )

    @classmethod
    @_told_as_config_error()
    def read_state(cls, state_path: str) -> list[models.AirbyteStateMessage]:
        """Read the state of earlier syncs; raises a config error that names the file and the place."""
        text = json_files.read_text(state_path, "state") if state_path else ""
        states = json_files.parse(text, state_path, "state") if text.strip() else []
        if states in ({}, None, ""):
            return []
        place = "it is not an array"
        if isinstance(states, list):
            loaded = [_state_message(one) for one in states]
            if None not in loaded:
                return [message for message in loaded if message]
            place = f"its entry {loaded.index(None) + 1} is none"
        raise invalid_configuration(
            f"The state file {state_path} must hold an array of the last state of each stream, but {place}. An empty "
            "array, [], loads everything again."
        )

    def discover(self, logger: logging.Logger, config: Mapping[str, Any]) -> models.AirbyteCatalog:  # noqa: ARG002 - the CDK's signature
        """Return the catalog, without any network."""
        return models.AirbyteCatalog(streams=catalog_streams())

    def check(self, logger: logging.Logger, config: Mapping[str, Any]) -> models.AirbyteConnectionStatus:
        """Prove configuration, keys and logins; see `linking`.

        Returns FAILED when the configuration or the keys are wrong or when a sync could deliver nothing; raises a
        transient error when the provider is out of reach.
        """
        parsed, links = self._opened(config, logger)
        finished: list[events.Finished] = []
        try:
            for event in self._events(partial(check_all, parsed, links, self._surroundings)):
                match event:
                    case events.LinksChanged():
                        say(create_connector_config_control_message({**config, "links": event.links}))
                    case events.Finished():
                        finished.append(event)
                    case events.Waiting():
                        logger.info("%s", event)
            status = check_status(parsed, finished)
        except Problem as problem:
            status = check_status(parsed, finished, problem)
        return replace(status, message=masking.hidden(status.message or ""))  # the CDK masks no answer of a check

    def read(
        self,
        logger: logging.Logger,
        config: Mapping[str, Any],
        catalog: models.ConfiguredAirbyteCatalog,
        state: list[models.AirbyteStateMessage] | None = None,
    ) -> Iterable[models.AirbyteMessage]:
        """Open every login, wait for all at once, and yield what changed; see `sync` and `linking`."""
        parsed, links = self._opened(config, logger)
        streams = [SelectedStream(configured, state or (), parsed, self._output) for configured in catalog.streams]
        messages = SyncMessages(config, parsed, streams, now=self._surroundings.now, logger=logger, output=self._output)
        return messages.of(self._events(partial(sync_all, parsed, links, self._surroundings)))

    def _opened(self, config: Mapping[str, Any], logger: logging.Logger) -> tuple[Config, Links]:
        """Read the configuration and warn of what may be a slip in it. Raises the config error of a mistake."""
        for slip in notices(config):
            logger.warning("%s", slip)
        parsed, links = opened(config, self._surroundings)
        if notice := links.notice():
            logger.warning("%s", notice)
        return parsed, links

    def _events(self, main: Any) -> Iterator[events.Event]:
        return events_of(main, new_loop=self._surroundings.new_loop, before_waiting=self._output.flush)


def _state_message(value: Any) -> models.AirbyteStateMessage | None:
    try:
        message = models.AirbyteStateMessageSerializer.load(value)
    except Exception:  # noqa: BLE001 - the serialiser's own classes are no part of its interface
        return None
    return message if message.stream or message.data or message.global_ else None
