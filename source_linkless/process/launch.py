"""The CDK's launch with two differences: the configuration is validated by us, and RECORD lines are written by us.

The CDK validates against the JSON schema before any code of a connector runs, and for a failed `oneOf` it prints the
whole object as a Python repr, whose escapes its own secret filter misses: a pasted fleet would appear in clear.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.logger import PRINT_BUFFER
from airbyte_cdk.models import AirbyteMessage, AirbyteStateStats, ConnectorSpecification
from airbyte_cdk.utils.airbyte_secrets_utils import update_secrets

from source_linkless.config import parse_config
from source_linkless.source import SourceLinkless
from source_linkless.sync.output import Lines


class LinklessEntrypoint(AirbyteEntrypoint):
    """The CDK's entry point with our validation, and with records that go to standard output past it."""

    def __init__(self) -> None:
        """Make the connector and its output."""
        self._lines = Lines()
        super().__init__(SourceLinkless(output=self._lines))

    def read(
        self, source_spec: ConnectorSpecification, config: Mapping[str, Any], catalog: Any, state: list[Any]
    ) -> Iterable[AirbyteMessage]:
        """Yield every message but the records, each after the records that were sent before it."""
        try:
            for message in super().read(source_spec, config, catalog, state):
                self._lines.flush()
                self._count_records(message)
                yield message
        finally:
            self._lines.flush()

    def _count_records(self, message: AirbyteMessage) -> None:
        """Say in a state how many records it covers, as the CDK does for those that it sees."""
        if message.state is not None and message.state.stream is not None:
            count = self._lines.taken(message.state.stream.stream_descriptor.name)
            message.state.sourceStats = AirbyteStateStats(recordCount=float(count))

    @staticmethod
    def validate_connection(source_spec: ConnectorSpecification, config: Mapping[str, Any]) -> None:  # noqa: ARG004 - the CDK's signature
        """Say in one sentence which field is wrong; never a value. Raises a config error."""
        parse_config(config)

    @staticmethod
    def set_up_secret_filter(config: Mapping[str, Any], connection_specification: Mapping[str, Any]) -> None:  # noqa: ARG004 - the CDK's signature
        """Start with an empty list of secrets: the source registers each of them, those inside a list too.

        The CDK would take the whole value of `links`, which is `{}` at first, and mask every `{}` of a message.
        """
        update_secrets([])


def launch(arguments: list[str]) -> None:
    """Run one command of the connector, like `airbyte_cdk.entrypoint.launch`."""
    entrypoint = LinklessEntrypoint()
    parsed = entrypoint.parse_args(arguments)
    with PRINT_BUFFER:
        for message in entrypoint.run(parsed):
            print(f"{message}\n", end="")  # noqa: T201 - one write, so that no log line can come between message and newline
