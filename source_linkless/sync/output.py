"""How records leave the process: as messages for a caller in the same process, or as lines of standard output.

    Rows ─► Messages   one AirbyteMessage for each row: Airbyte's harness, and any other consumer in this process
         └► Lines      blocks of finished lines beside the CDK's print buffer: the connector as a process

The CDK spends nine times as long on a record as it takes to read it from the document. So the process writes RECORD
lines itself.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable

import orjson
from airbyte_cdk.logger import PRINT_BUFFER
from airbyte_cdk.models import AirbyteMessage, AirbyteMessageSerializer, AirbyteRecordMessage, Type
from airbyte_cdk.models import AirbyteRecordMessageFileReference as FileReference

from source_linkless.bills import content

_BLOCK_BYTES = 262_144
"""After each write this thread waits for those that make requests: blocks of 64 KB cost a sync some percent more.
Blocks of megabytes cost more in page faults than they save in writes."""


def line_of(message: AirbyteMessage) -> str:
    """Return a message as one line of JSON, without its line feed.

    A configuration that is written back may hold what orjson refuses: integers above 64 bits, half a surrogate pair,
    or more than 254 levels under a name that nobody knows. `json` writes these.
    """
    content = AirbyteMessageSerializer.dump(message)
    try:
        return orjson.dumps(content).decode()
    except TypeError:  # orjson's name for all of them
        return json.dumps(content)


def say(message: AirbyteMessage) -> None:
    """Print a message at once: a check that is killed later has written its links back."""
    print(f"{line_of(message)}\n", end="", flush=True)  # noqa: T201 - the output is the product


class Messages:
    """Records as messages."""

    def records(self, stream: str, rows: content.Rows, file: FileReference | None = None) -> Iterable[AirbyteMessage]:
        """Make a message of each row; `file` is the file that goes along with it, if there is one."""
        for row in rows.dicts():
            now = time.time_ns() // 1_000_000
            record = AirbyteRecordMessage(stream=stream, data=row, emitted_at=now, file_reference=file)
            yield AirbyteMessage(type=Type.RECORD, record=record)

    def flush(self) -> None:
        """Put out what the consumer has printed; called before waiting and before a write-back counts as done."""
        PRINT_BUFFER.flush()


def _to_standard_output(block: bytes) -> None:
    """Write a block behind everything that was printed before it; no line is ever cut by another."""
    with PRINT_BUFFER.lock:
        PRINT_BUFFER.flush()
        if block and (output := sys.__stdout__):
            output.buffer.write(block)
            output.flush()


class Lines:
    """Records as lines of standard output, in blocks. Call `flush` before printing any other message.

    `write` takes whole lines, or none when there is nothing new. `watch` is told the number of records of each block
    and may raise to end the sync.
    """

    def __init__(
        self, write: Callable[[bytes], object] = _to_standard_output, watch: Callable[[int], object] = lambda _: None
    ) -> None:
        self._write, self._watch = write, watch
        self._block: list[bytes] = []
        self._bytes = self._records = 0

    def records(self, stream: str, rows: content.Rows, file: FileReference | None = None) -> Iterable[AirbyteMessage]:
        """Write the rows, each with its file; returns no message, as nothing is left for the caller to send."""
        head = b'{"type":"RECORD","record":{"stream":"%b","data":{%b,' % (stream.encode(), rows.common)
        member = b"" if file is None else b',"file_reference":%b' % orjson.dumps(file)
        tail = b'}%b,"emitted_at":%d}}\n' % (member, time.time_ns() // 1_000_000)
        pieces = head, (tail + head).join(rows.own), tail
        self._block += pieces
        self._bytes += sum(map(len, pieces))
        self._records += len(rows.own)
        if self._bytes >= _BLOCK_BYTES:
            self.flush()
            written, self._records = self._records, 0
            self._watch(written)
        return ()

    def flush(self) -> None:
        """Write the block as it is."""
        block, self._block, self._bytes = b"".join(self._block), [], 0
        self._write(block)


Output = Messages | Lines  # where the rows of a sync go
