"""From the events of a run to the messages of Airbyte: records, states, statuses, and the error of a failed sync.

    STARTED ─► per login: records of every selected stream ─► its row in `connections` ─► STATE (once a minute)
            ─► last STATE ─► COMPLETE, or INCOMPLETE and one error that names every hole

All messages leave from one thread, so a state never overtakes the records it covers.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from airbyte_cdk import models
from airbyte_cdk.config_observation import create_connector_config_control_message
from airbyte_cdk.models import AirbyteMessage, AirbyteStateMessage, ConfiguredAirbyteStream
from airbyte_cdk.models import AirbyteRecordMessageFileReference as FileReference
from airbyte_cdk.models import AirbyteStreamStatus as StreamStatus
from airbyte_cdk.sources.utils.files_directory import get_files_directory
from airbyte_cdk.utils.stream_status_utils import as_airbyte_message as status_message
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_linkless.bills import Personal, UnreadableDocument, content, read_document
from source_linkless.clock import Now, stamp_after
from source_linkless.config import Config, Links
from source_linkless.errors import invalid_configuration
from source_linkless.linking import events, of_surprise
from source_linkless.provider.outcomes import Outcome, own
from source_linkless.streams import STREAMS
from source_linkless.sync import report
from source_linkless.sync.changes import Known, StreamChanges
from source_linkless.sync.files import StatementFiles
from source_linkless.sync.output import Output

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
    """One stream of the configured catalog during one sync; of several `states` of the stream, the last counts.

    Raises a config error for a stream that does not exist, and for a state that cannot be read.
    """

    def __init__(
        self, configured: ConfiguredAirbyteStream, states: Iterable[AirbyteStateMessage], config: Config, output: Output
    ) -> None:
        self.name, self.configured, self._output = configured.stream.name, configured, output
        if self.name not in STREAMS:
            raise invalid_configuration(f"The catalog asks for the stream '{self.name}', which does not exist.")
        ours = [one.stream for one in states if one.stream and one.stream.stream_descriptor.name == self.name]
        saved = [vars(one.stream_state) for one in ours if one.stream_state]
        self.changes = StreamChanges(
            STREAMS[self.name],
            saved[-1] if saved else None,
            start_date=config.start_date,
            mark=Personal.of(config).mark(),
            is_full=configured.sync_mode is not models.SyncMode.incremental,
        )
        self.has_news, self._is_running, self._sent = False, False, 0

    def records(self, blocks: Iterable[content.Rows], file: FileReference | None = None) -> Iterator[AirbyteMessage]:
        """Send rows, each with its file if there is one; the first of them sets the stream running."""
        for rows in blocks:
            if not self._is_running:
                self._is_running = True
                yield status_message(self.configured.stream, StreamStatus.RUNNING)
            yield from self._output.records(self.name, rows, file)
            self._sent += len(rows.own)
        self.has_news = True

    def state(self) -> AirbyteMessage:
        """Make the state message for everything sent so far; it says how many records it covers."""
        blob, stats = models.AirbyteStateBlob(self.changes.state()), models.AirbyteStateStats(float(self._sent))
        stream = models.AirbyteStreamState(models.StreamDescriptor(self.name), blob)
        self.has_news, self._sent = False, 0
        state = AirbyteStateMessage(type=models.AirbyteStateType.STREAM, stream=stream, sourceStats=stats)
        return AirbyteMessage(type=models.Type.STATE, state=state)


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
        self._raw, self._config, self._streams = raw_config, config, streams
        self._now, self._logger, self._output = now, logger, output
        self._health = [stream for stream in streams if stream.name == "connections"]
        self._tables = [stream for stream in streams if stream.name != "connections"]
        self._personal, self._are_few = Personal.of(config), len(config.logins) <= events.FEW_LOGINS
        self._delivered: dict[str, report.Delivery] = {}  # by login, until its Finished; so are those that failed
        self._failed: dict[str, Outcome] = {}
        self._ends: dict[str, Outcome] = {}
        self._incomplete: set[str] = set()
        self._warnings, self._is_large = 0, False
        with_files = [one for one in streams if STREAMS[one.name].has_files and self._personal.is_kept]
        self._file_stream = with_files[0] if with_files else None
        staging = get_files_directory() if self._file_stream and self._file_stream.configured.include_files else None
        self._files = self._file_stream and StatementFiles(self._file_stream.changes, config.start_date, now, staging)

    def of(self, told: Iterable[events.Event]) -> Iterator[AirbyteMessage]:
        """Turn events into messages; raises the one error of a failed run after everything was sent."""
        yield from (status_message(stream.configured.stream, StreamStatus.STARTED) for stream in self._streams)
        for notice in self._personal.notices({one.name: one.changes.is_sent_again for one in self._streams}):
            self._logger.warning("%s", notice)
        for event in told:
            yield from self._messages(event)
        if (unsaid := self._warnings - WARNINGS_SHOWN) > 0:
            self._logger.warning("%d more logins need attention: see the stream connections.", unsaid)
        if not self._are_few:
            self._logger.info(_line_of(Counter(end.status.value for end in self._ends.values())))
        if not_asked := sum(end.reason == events.NOT_ASKED_YET for end in self._ends.values()):
            self._logger.warning(_NOT_ASKED, not_asked, len(self._ends))
        if summary := self._files and self._files.summary():
            self._logger.info("%s", summary)
        yield from (stream.state() for stream in self._streams)
        chosen = [stream.configured for stream in self._streams]
        failure = report.failure_of(self._config, self._ends, self._incomplete, chosen)
        for stream in self._streams:
            is_whole = failure is None or stream.name == "connections"
            status = StreamStatus.COMPLETE if is_whole else StreamStatus.INCOMPLETE
            yield status_message(stream.configured.stream, status)
        if failure is not None:
            raise failure

    def _messages(self, event: events.Event) -> Iterator[AirbyteMessage]:
        match event:
            case events.LinksChanged():
                if len(event.links) > Links.LIMIT_BYTES and not self._is_large:
                    self._is_large = True
                    self._logger.warning(_LARGE, len(event.links) / 1_000)
                yield create_connector_config_control_message({**self._raw, "links": event.links})
                self._output.flush()  # asking for the next event says that this one was written
            case events.Delivered():
                yield from self._document(event)
            case events.Finished():
                yield from self._finished(event)
            case events.FileAnswered() if self._file_stream and self._files:
                rows, file = self._files.record(event)
                yield from self._file_stream.records([rows], file)
            case events.Progress():
                self._logger.info(_line_of(event.counts, event.slowest))
                yield from (stream.state() for stream in self._streams if stream.has_news or event.heartbeat)
            case events.Waiting():
                self._logger.info("%s", event)

    @contextmanager
    def _isolated(self, key: str) -> Iterator[None]:
        """Let an error in the block fail one login only; the memory guard ends the sync, before the container does."""
        try:
            yield
        except UnreadableDocument as error:
            self._failed[key] = own("UNREADABLE_DOCUMENT", str(error))
        except AirbyteTracedException:
            raise
        except Exception as error:  # noqa: BLE001 - an unexpected error must not fail the other logins
            self._failed[key] = of_surprise(error)

    def _document(self, event: events.Delivered) -> Iterator[AirbyteMessage]:
        """Send what changed in a document: every stream gets one account before the next is decoded."""
        key, earlier = event.login.key, self._known(event.login.key)
        observed_at = stamp_after(self._now(), earlier.observed_at)
        wanted: list[events.WantedFile] = []
        with self._isolated(key):
            document = read_document(event.body, self._personal)
            delivery = report.Delivery(document, earlier, observed_at, self._config.start_date or "")
            for stream in self._tables:
                stream.changes.observe(key, event.connection_id or earlier.connection_id, observed_at)
            for account in document.accounts():
                delivery.count(account)
                for stream in self._tables:
                    yield from stream.records(stream.changes.rows(key, document, account))
                wanted += self._files.wanted(key, account) if self._files else ()
            delivery.document = document.without_bills()
            event.files = sorted(wanted, key=lambda one: one.has_failed)
            event.accounts = delivery.accounts if document.is_readable else None
            self._delivered[key] = delivery

    def _finished(self, event: events.Finished) -> Iterator[AirbyteMessage]:
        """Send the accounts of a login that vanished, then its row in `connections`, and note how it ended."""
        key, delivery = event.login.key, self._delivered.pop(event.login.key, None)
        earlier = delivery.earlier if delivery else self._known(key)
        observed_at = delivery.observed_at if delivery else stamp_after(self._now(), earlier.observed_at)
        result = self._failed.pop(key, event.outcome)
        end = replace(event, outcome=result, connection_id=event.connection_id or earlier.connection_id)
        with self._isolated(key):
            end = replace(end, outcome=report.judged(end, delivery))
            promised = event.context.accounts if event.context else ()
            expected = {self._personal.account_number(number) for number in promised}
            if delivery:
                for stream in self._tables:
                    yield from stream.records(stream.changes.vanished(key, delivery.document, expected))
            row = report.connection_row(end, delivery, observed_at)
        if key in self._failed:
            end = replace(end, outcome=self._failed.pop(key), context=None)
            row = report.connection_row(end, None, observed_at)
        for stream in self._health:
            stream.changes.observe(key, end.connection_id, observed_at)
            yield from stream.records([row])
        self._ends[key] = end.outcome
        if report.is_incomplete(end.outcome, delivery, had_rows=earlier.had_rows):
            self._incomplete.add(key)
        if told := report.described(end.outcome):
            self._warnings += 1
            if self._warnings <= WARNINGS_SHOWN:
                self._logger.warning("%s: %s", key, told)
        elif self._are_few:
            self._logger.info("%s: ready after %.0f s", key, event.waited)

    def _known(self, key: str) -> Known:
        """Return what the states of all streams together hold of a login, but for its accounts."""
        each = [stream.changes.known(key) for stream in self._streams]
        return Known(
            max([one.observed_at for one in each], default=""),
            next((one.connection_id for one in each if one.connection_id), None),
            had_others=any(one.had_rows for one in each),
            had_lines=any(one.had_lines for one in each),
        )


def _line_of(counts: Mapping[str, int], slowest: Iterable[events.Waiting] = ()) -> str:
    told = ", ".join(f"{number} {status.replace('_', ' ')}" for status, number in sorted(counts.items()))
    waits = ", ".join(f"{one.key} {one.reason} {one.seconds:.0f} s" for one in slowest)
    return f"Logins: {told}." + (f" Longest waits: {waits}." if waits else "")
