"""The memory of reading documents: each is read, and all its rows are made, in a forked process of its own.

The fork server is that of `testing.forking`. The kernel counts the memory.
"""

from __future__ import annotations

import os
import resource
from collections import deque
from contextlib import suppress
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

from source_linkless.bills import UnreadableDocument, read_document
from source_linkless.streams import STREAMS
from source_linkless.sync.changes import StreamChanges
from testing.deliveries import Connection, delivered
from testing.forking import FORKING

_PAGE = os.sysconf("SC_PAGE_SIZE")


def peak_of(before: bytes, unit: bytes, times: int, after: bytes) -> int:
    """Return the bytes of memory that it takes to read `before`, `times` times `unit`, and `after`."""
    here, there = FORKING.Pipe(duplex=False)
    process = FORKING.Process(target=_read, args=(there, before, unit, times, after))
    process.start()
    there.close()
    with here:
        peak: int = here.recv()
    process.join()
    return peak


def _read(answer: Pipe, before: bytes, unit: bytes, times: int, after: bytes) -> None:
    at_first = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE
    body = before + unit * times + after
    for stream in STREAMS.values():
        if stream.parts is not None:
            changes = StreamChanges(stream, None, start_date=None)
            with suppress(UnreadableDocument):
                deque(delivered(changes, Connection("site", None), read_document(body), ""), maxlen=0)
    answer.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - at_first)
