"""One command of the connector through the CDK, with our own doors for everything that is said.

    arguments ─► LinklessEntrypoint.messages ─► source ─► messages ─► lines of standard output
                       │                          └─► records ─► Lines, in blocks, beside the CDK's print buffer
                       └─► an exception ─► one FATAL line and one TRACE ─► exit code 1

What differs from the CDK's own entry point, and why:

- The configuration is validated by us. The CDK validates against the JSON schema first, and for a failed `oneOf` it
  prints the whole object as a Python repr, whose escapes its secret filter misses: a pasted list would appear in clear.
- Secrets are masked in texts, before they become JSON. The CDK masks finished lines of TRACE and DEBUG, which a short
  secret breaks. The source registers each secret, those inside a list too; the CDK would take the whole value of
  `links`, which is `{}` at first, and mask every `{}` of a message.
- Only the logger `airbyte` reaches the output. urllib3, for one, quotes header lines.
- No temporary folder is made: on a read-only file system there is none.
"""

import argparse
import contextlib
import io
import logging
import sys
import traceback
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from airbyte_cdk import models
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.logger import PRINT_BUFFER, AirbyteLogFormatter, is_platform_debug_log_enabled
from airbyte_cdk.utils.airbyte_secrets_utils import update_secrets
from airbyte_cdk.utils.memory_monitor import MemoryMonitor
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_linkless.config import masking
from source_linkless.errors import invalid_configuration
from source_linkless.source import SourceLinkless
from source_linkless.sync import Lines, line_of, say

_MESSAGES_A_CHECK = 5_000  # as in the CDK
_MESSAGES_A_CALL = 10
"""The CDK calls its memory guard for each message, to count them; that would be 3 % of what a sync computes. Where
memory is short, the guard looks at every hundredth call, so once in 1,000 messages here."""


class LinklessEntrypoint(AirbyteEntrypoint):
    """The CDK's entry point with our validation, our masking, and records that bypass its serialiser."""

    def __init__(self) -> None:
        self._lines = Lines(watch=self.watch_memory)
        super().__init__(SourceLinkless(output=self._lines))
        self._memory_monitor = MemoryMonitor(check_interval=_MESSAGES_A_CHECK // _MESSAGES_A_CALL)

    def messages(self, arguments: list[str]) -> Iterator[models.AirbyteMessage]:
        """Yield the messages of one command, but for records. Raises what the command raises."""
        parsed = self._parsed(arguments)
        is_debug = parsed.debug or is_platform_debug_log_enabled()
        logging.getLogger("airbyte").setLevel(logging.DEBUG if is_debug else logging.INFO)
        versions = [f"{name} {version(name)}" for name in ("airbyte-source-linkless", "airbyte-cdk", "requests")]
        self.logger.debug("%s, Python %s", ", ".join(versions), sys.version)
        update_secrets([])  # the CDK's own list; ours is filled from the configuration, by the source
        match parsed.command:
            case "spec":
                yield models.AirbyteMessage(type=models.Type.SPEC, spec=self.source.spec(self.logger))
            case "check":
                try:
                    status = self.source.check(self.logger, self.source.read_config(parsed.config))
                except AirbyteTracedException as error:  # a mistake in the configuration is an answer
                    if error.failure_type is not models.FailureType.config_error:
                        raise
                    message = masking.hidden(error.message or "")
                    status = models.AirbyteConnectionStatus(status=models.Status.FAILED, message=message)
                self.logger.info("Check %s", "succeeded" if status.status is models.Status.SUCCEEDED else "failed")
                yield models.AirbyteMessage(type=models.Type.CONNECTION_STATUS, connectionStatus=status)
            case "discover":
                catalog = self.source.discover(self.logger, self.source.read_config(parsed.config))
                yield models.AirbyteMessage(type=models.Type.CATALOG, catalog=catalog)
            case _:
                yield from self._read(parsed)

    def _parsed(self, arguments: list[str]) -> argparse.Namespace:
        """Read the arguments; raises a config error where argparse would print its usage and end."""
        with contextlib.redirect_stderr(io.StringIO()) as told:
            try:
                parsed = self.parse_args(arguments)
            except SystemExit as end:
                if not end.code:  # --help
                    raise
                said = told.getvalue().rpartition("error: ")[2].strip()
                raise invalid_configuration(f"The arguments are wrong: {said}. See `source-linkless --help`.") from None
        if not parsed.command:
            message = "No command was given: use spec, check, discover or read. See `source-linkless --help`."
            raise invalid_configuration(message)
        return parsed

    def _read(self, parsed: argparse.Namespace) -> Iterator[models.AirbyteMessage]:
        """Yield every message but the records, each after the records that were sent before it."""
        config = self.source.read_config(parsed.config)
        catalog, state = self.source.read_catalog(parsed.catalog), self.source.read_state(parsed.state)
        try:
            for message in self.source.read(self.logger, config, catalog, state):
                self._lines.flush()
                yield message
                self.watch_memory(1)
        finally:
            self._lines.flush()

    def watch_memory(self, messages: int) -> None:
        """Count messages for the CDK's memory guard, which raises before the container runs out of memory."""
        for _ in range(0, messages, _MESSAGES_A_CALL):
            self._memory_monitor.check_memory_usage()


class _LogLines(AirbyteLogFormatter):
    """Log records as LOG messages, with every secret masked before they become JSON."""

    def format(self, record: logging.LogRecord) -> str:
        message = masking.hidden(logging.Formatter.format(self, record))
        log = models.AirbyteLogMessage(self.level_mapping.get(record.levelno, models.Level.INFO), message)
        return line_of(models.AirbyteMessage(type=models.Type.LOG, log=log))


def launch(arguments: list[str]) -> None:
    """Run one command of the connector to its end; raises SystemExit with 1 after a failure."""
    masking.silence_libraries()
    logger = logging.getLogger("airbyte")
    logger.handlers[:] = [logging.StreamHandler(PRINT_BUFFER)]
    logger.handlers[0].setFormatter(_LogLines())
    logger.setLevel(logging.WARNING)  # until the arguments are read: the CDK describes its memory guard
    logger.propagate = False
    with PRINT_BUFFER, contextlib.redirect_stderr(PRINT_BUFFER.old_stderr):  # a warning of Python's is no message
        try:
            for message in LinklessEntrypoint().messages(arguments):
                say(message)
        except Exception as error:  # noqa: BLE001 - the platform must learn how every run ended
            _say_failure(error)
            sys.exit(1)


def _say_failure(error: Exception) -> None:
    """Log how the run failed and send the trace that the platform decides by.

    A failure that somebody can repair is told in its sentence alone; where the fault may be ours, with the traceback.
    """
    traced = error if isinstance(error, AirbyteTracedException) else AirbyteTracedException.from_exception(error)
    is_ours = traced.failure_type is models.FailureType.system_error
    stack = "".join(traceback.format_exception(error)) if is_ours else ""
    logging.getLogger("airbyte").fatal("%s", f"{traced}\n{stack}".strip())
    message: Any = traced.as_airbyte_message()
    told = message.trace.error
    told.message = masking.hidden(told.message)
    told.internal_message = masking.hidden(told.internal_message or "") or None
    told.stack_trace = masking.hidden(stack) or None
    say(message)
