"""From the events of a run to the messages of Airbyte: records, states, statuses, and the verdict at the end.

    STARTED ─► per login: records of every selected stream ─► its row in `connections` ─► STATE (once a minute)
            ─► last STATE ─► COMPLETE, or INCOMPLETE and one error that names every hole

All messages leave from one thread, so a state never overtakes the records it covers.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from airbyte_cdk.config_observation import create_connector_config_control_message
from airbyte_cdk.models import (
    AirbyteMessage,
    AirbyteRecordMessageFileReference,
    AirbyteStateBlob,
    AirbyteStateMessage,
    AirbyteStateType,
    AirbyteStreamState,
    AirbyteStreamStatus,
    ConfiguredAirbyteCatalog,
    ConfiguredAirbyteStream,
    StreamDescriptor,
    SyncMode,
    Type,
)
from airbyte_cdk.utils.stream_status_utils import as_airbyte_message as status_message
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_linkless.bills import Document, UnreadableDocument, content, personal_of, read_document
from source_linkless.clock import Now, stamp_after
from source_linkless.config import Config, Links
from source_linkless.errors import invalid_configuration
from source_linkless.linking import events, of_surprise
from source_linkless.provider.outcomes import UNKNOWN, Outcome, outcome
from source_linkless.streams import STREAMS
from source_linkless.sync.changes import Connection, StreamChanges
from source_linkless.sync.files import StatementFiles
from source_linkless.sync.health import Delivery, bills_of, connection_row, delivery_of, is_worth_a_warning, judged
from source_linkless.sync.output import Output
from source_linkless.sync.verdict import End, described, failure_of

NO_CURSOR = {"__ab_no_cursor_state_message": True}
"""State of a stream in full refresh: nothing to go on from."""
WARNINGS_SHOWN = 50
"""Masking makes every log line costly when there are thousands of secrets: a line for each login would cost more than
its document."""
_LARGE = (
    "The property 'links', where the connector remembers its links, has grown to %.0f KB. Secret stores commonly take "
    "64 KB for one value: spread the logins over several sources, or links may be lost."
)


_NOT_ASKED = (
    "%d of %d logins were not asked for their data before the time for waiting was over: their data is missing in this "
    "sync. The next sync asks them. Raise data_timeout_minutes or max_requests_per_second, or spread the logins over "
    "several sources."
)


class SelectedStream:
    """One stream of the configured catalog during one sync: its changes, its status, its state."""

    def __init__(self, configured: ConfiguredAirbyteStream, state: Mapping[str, Any] | None, config: Config) -> None:
        """Refuse a stream that does not exist; ignore the state in a full refresh."""
        self.name = configured.stream.name
        if self.name not in STREAMS:
            raise invalid_configuration(f"The catalog asks for the stream '{self.name}', which does not exist.")
        self.configured = configured
        self.is_incremental = configured.sync_mode is SyncMode.incremental
        self._start_date = config.start_date
        self._mark = personal_of(config).mark()
        self.changes = self._changes_since(state if self.is_incremental else None)
        self.earlier = self._changes_before(state)
        self.has_news = False
        self._is_running = False

    def _changes_since(self, state: Mapping[str, Any] | None) -> StreamChanges:
        return StreamChanges(STREAMS[self.name], state, start_date=self._start_date, mark=self._mark)

    def _changes_before(self, state: Mapping[str, Any] | None) -> StreamChanges:
        """Keep what the incoming state tells of earlier syncs; a full refresh does without it if it is unreadable."""
        try:
            return self._changes_since(state)
        except AirbyteTracedException:
            if self.is_incremental:
                raise
            return self._changes_since(None)

    def status(self, status: AirbyteStreamStatus) -> AirbyteMessage:
        """Make a stream status message."""
        return status_message(self.configured.stream, status)

    def records(
        self,
        blocks: Iterable[content.Rows],
        output: Output,
        reference: AirbyteRecordMessageFileReference | None = None,
    ) -> Iterator[AirbyteMessage]:
        """Send rows, with the `reference` to the file that goes along; the first of them sets the stream running."""
        for rows in blocks:
            if not self._is_running:
                self._is_running = True
                yield self.status(AirbyteStreamStatus.RUNNING)
            yield from output.records(self.name, rows, reference)
        self.has_news = True

    def state(self) -> AirbyteMessage:
        """Make the state message for everything sent so far."""
        self.has_news = False
        blob = AirbyteStateBlob(self.changes.state() if self.is_incremental else NO_CURSOR)
        stream = AirbyteStreamState(stream_descriptor=StreamDescriptor(name=self.name), stream_state=blob)
        return AirbyteMessage(type=Type.STATE, state=AirbyteStateMessage(type=AirbyteStateType.STREAM, stream=stream))


class SyncMessages:
    """The messages of one sync; `output` takes the records."""

    def __init__(
        self,
        raw_config: Mapping[str, Any],
        config: Config,
        streams: Sequence[SelectedStream],
        *,
        now: Now,
        logger: logging.Logger,
        output: Output,
    ) -> None:
        """Prepare; nothing is read before `of` is iterated."""
        self._raw, self._config, self._streams = raw_config, config, streams
        self._now, self._logger, self._output = now, logger, output
        self._ends: list[End] = []
        self._delivered: dict[str, tuple[Delivery, Document]] = {}
        self._unreadable: dict[str, Outcome] = {}
        self._warnings, self._is_large = 0, False
        self._personal = personal_of(config)
        self._are_few = len(config.logins) <= events.FEW_LOGINS
        self._file_stream = next((one for one in streams if STREAMS[one.name].has_files), None)
        self._files = self._file_stream and StatementFiles(
            self._file_stream.changes,
            start_date=config.start_date,
            takes_files=bool(self._file_stream.configured.include_files),
            now=now,
        )

    def of(self, told: Iterable[events.Event]) -> Iterator[AirbyteMessage]:
        """Turn events into messages; raises the one error of a failed run after everything was sent."""
        yield from (stream.status(AirbyteStreamStatus.STARTED) for stream in self._streams)
        for notice in self._personal.notices({one.name: one.earlier.is_afresh for one in self._streams}):
            self._logger.warning("%s", notice)
        for event in told:
            yield from self._messages(event)
        if (unsaid := self._warnings - WARNINGS_SHOWN) > 0:
            self._logger.warning("%d more logins need attention: see the stream connections.", unsaid)
        if not self._are_few:
            self._logger.info(_line_of(Counter(end.outcome.status.value for end in self._ends)))
        if not_asked := sum(end.outcome.reason == events.NOT_ASKED_YET for end in self._ends):
            self._logger.warning(_NOT_ASKED, not_asked, len(self._ends))
        if summary := self._files and self._files.summary():
            self._logger.info("%s", summary)
        yield from (stream.state() for stream in self._streams)
        chosen = [stream.configured for stream in self._streams]
        failure = failure_of(self._ends, fail_on_holes=self._config.failed_connections == "fail", streams=chosen)
        for stream in self._streams:
            is_whole = failure is None or stream.name == "connections"
            yield stream.status(AirbyteStreamStatus.COMPLETE if is_whole else AirbyteStreamStatus.INCOMPLETE)
        if failure is not None:
            raise failure

    def _messages(self, event: events.Event) -> Iterator[AirbyteMessage]:
        match event:
            case events.LinksChanged():
                self._warn_of_size(len(event.links))
                yield create_connector_config_control_message({**self._raw, "links": event.links})
                self._output.flush()  # asking for the next event says that this one was written
            case events.Delivered():
                yield from self._document(event)
            case events.Finished():
                yield from self._finished(event)
            case events.FileAnswered() if self._file_stream and self._files:
                rows, reference = self._files.record(event)
                yield from self._file_stream.records([rows], self._output, reference)
            case events.Progress():
                self._logger.info(_line_of(event.counts, event.slowest))
                yield from (stream.state() for stream in self._streams if stream.has_news or event.heartbeat)
            case events.Moved():
                self._logger.info("%s", event.waiting)

    def _warn_of_size(self, size: int) -> None:
        if size > Links.LIMIT_BYTES and not self._is_large:
            self._is_large = True
            self._logger.warning(_LARGE, size / 1_000)

    def _document(self, event: events.Delivered) -> Iterator[AirbyteMessage]:
        """Send what changed in a document, in every selected stream, and keep only the numbers of it."""
        with self._at_the_cost_of(event.login.key):
            document = read_document(event.body, self._personal)
            yield from self._accounts(document, self._connection(event), event.receipt)

    @contextmanager
    def _at_the_cost_of(self, key: str) -> Iterator[None]:
        """Let an error in the block cost one login: it is noted as unreadable, and the sync goes on.

        The memory guard still ends the sync, before the container ends it.
        """
        try:
            yield
        except UnreadableDocument as error:
            self._unreadable[key] = outcome("UNREADABLE_DOCUMENT", UNKNOWN, str(error))
        except AirbyteTracedException:
            raise
        except Exception as error:  # noqa: BLE001 - an error that nobody foresaw must not cost the other logins
            self._unreadable[key] = of_surprise(error)

    def _accounts(
        self, document: Document, connection: Connection, receipt: events.Receipt
    ) -> Iterator[AirbyteMessage]:
        """Let every stream look at one account before the next is decoded."""
        observed_at, read = self._observed_at(connection.key), []
        streams = [stream for stream in self._streams if STREAMS[stream.name].projection is not None]
        files = self._files if self._personal.is_kept else None
        wanted: list[events.WantedFile] = []
        for stream in (*streams, self._file_stream):
            if stream is not None:
                stream.changes.observe(connection, observed_at)
        for account in document.accounts():
            read.append(bills_of(account))
            for stream in streams:
                yield from stream.records(stream.changes.rows(connection.key, document, account), self._output)
            wanted += files.wanted(connection.key, account) if files else ()
        receipt.files = sorted(wanted, key=lambda one: one.has_failed)
        had_lines = any(stream.earlier.had_lines(connection.key) for stream in self._streams)
        delivery = delivery_of(document, read, observed_at, self._config.start_date, had_lines=had_lines)
        receipt.accounts = delivery.accounts if document.is_readable else None
        self._delivered[connection.key] = (delivery, document.without_bills())

    def _finished(self, event: events.Finished) -> Iterator[AirbyteMessage]:
        """Send the last of a login, and note how it ended."""
        key, result = event.login.key, event.outcome
        delivery, document = self._delivered.pop(key, (None, None))
        unreadable = self._unreadable.pop(key, None)
        with self._at_the_cost_of(key):
            result = unreadable or judged(event, delivery)
            yield from self._last_of(event, result, delivery, document)
        if failed := self._unreadable.pop(key, None):  # the row was not sent: it is the last
            result = failed
            yield from self._last_of(replace(event, context=None), result, None, None)
        had_rows = any(stream.earlier.had_rows(key) for stream in self._streams)
        is_unread = delivery is not None and bool(delivery.warning or delivery.lost_bills)
        self._ends.append(End(key, result, lost_rows=had_rows, is_unread=is_unread))
        self._tell(key, result, event.waited)

    def _last_of(
        self, event: events.Finished, result: Outcome, delivery: Delivery | None, document: Document | None
    ) -> Iterator[AirbyteMessage]:
        """Send the accounts of a login that vanished, then its row in `connections`."""
        key, connection = event.login.key, self._connection(event)
        observed_at = delivery.observed_at if delivery else self._observed_at(key)
        promised = event.context.accounts if event.context else ()
        expected = {self._personal.account_number(number) for number in promised}
        for stream in self._streams:
            if stream.name != "connections" and document is not None:
                yield from stream.records(stream.changes.vanished(key, document, expected), self._output)
        for stream in self._streams:
            if stream.name == "connections":
                stream.changes.observe(connection, observed_at)
                row = connection_row(event, connection.connection_id, result, delivery, observed_at)
                yield from stream.records([row], self._output)

    def _connection(self, event: events.Delivered | events.Finished) -> Connection:
        """Return the connection of a login: its id as this sync learnt it, else as an earlier one did."""
        key = event.login.key
        earlier = (stream.earlier.connection_id(key) for stream in self._streams)
        return Connection(key, event.connection_id or next(filter(None, earlier), None))

    def _observed_at(self, key: str) -> str:
        earlier = [seen for stream in self._streams if (seen := stream.earlier.last_observed(key))]
        return stamp_after(self._now(), max(earlier, default=None))

    def _tell(self, key: str, result: Outcome, waited: float) -> None:
        if not is_worth_a_warning(result):
            if self._are_few:
                self._logger.info("%s: ready after %.0f s", key, waited)
            return
        self._warnings += 1
        if self._warnings <= WARNINGS_SHOWN:
            self._logger.warning("%s: %s", key, described(result))


def _line_of(counts: Mapping[str, int], slowest: Iterable[events.Waiting] = ()) -> str:
    told = ", ".join(f"{number} {status.replace('_', ' ')}" for status, number in sorted(counts.items()))
    waits = ", ".join(f"{one.key} {one.reason} {one.seconds:.0f} s" for one in slowest)
    return f"Logins: {told}." + (f" Longest waits: {waits}." if waits else "")


def selected_streams(
    catalog: ConfiguredAirbyteCatalog, states: Sequence[AirbyteStateMessage] | None, config: Config
) -> list[SelectedStream]:
    """Pair every stream of the configured catalog with its state."""
    blobs = {
        message.stream.stream_descriptor.name: message.stream.stream_state.__dict__
        for message in states or ()
        if message.stream and message.stream.stream_state
    }
    return [SelectedStream(configured, blobs.get(configured.stream.name), config) for configured in catalog.streams]
