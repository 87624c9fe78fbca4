"""The CDK's launch with one difference: the configuration is validated by us.

The CDK validates against the JSON schema before any code of a connector runs, and for a failed `oneOf` it prints the
whole object as a Python repr, whose escapes its own secret filter misses: a pasted fleet would appear in clear.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.logger import PRINT_BUFFER
from airbyte_cdk.models import ConnectorSpecification
from airbyte_cdk.utils.airbyte_secrets_utils import update_secrets

from source_linkless.config import parse_config
from source_linkless.source import SourceLinkless


class LinklessEntrypoint(AirbyteEntrypoint):
    """The CDK's entry point with our validation."""

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
    entrypoint = LinklessEntrypoint(SourceLinkless())
    parsed = entrypoint.parse_args(arguments)
    with PRINT_BUFFER:
        for message in entrypoint.run(parsed):
            print(f"{message}\n", end="")  # noqa: T201 - one write, so that no log line can come between message and newline
