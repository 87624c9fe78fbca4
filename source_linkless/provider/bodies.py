"""The body of an answer while it arrives: unpacked, bounded, and on disk instead of in memory once it is large.

    chunks of the wire ──► unpacked (gzip) ──► kept ──► up to 32 MB: bytes
                                                  └──► larger: a temporary file without a name, mapped for reading

A file without a name is gone with the last who has it open, even when the process is killed.
"""

from __future__ import annotations

import mmap
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from io import SEEK_END, BytesIO
from tempfile import TemporaryFile
from typing import IO

Body = bytes | mmap.mmap
"""A buffer: bytes, or a file mapped for reading whose pages are no memory of ours."""
NewFile = Callable[[], IO[bytes]]

IN_MEMORY = 32 * 2**20
"""Bytes of a body that may be in memory; what is larger lies on disk, from its first byte if its length is known."""
CHUNK = 2**18
"""Most bytes taken at once, from the wire and from gzip."""


class TooLargeError(Exception):
    """The body has more bytes than anything that is expected here."""


class NoRoomError(Exception):
    """There is no room for temporary files: a full disk, a quota, or no folder that can be written."""


class PackingError(Exception):
    """The body is not packed as it says."""


def unpacked(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Yield a body without its `Content-Encoding`, at most CHUNK bytes at once whatever they were packed from.

    Raises PackingError for gzip that is broken or ends too early, and for an encoding that was not asked for.
    """
    match encoding.strip().lower():
        case "" | "identity":
            yield from chunks
        case "gzip" | "x-gzip":
            yield from _gunzipped(chunks)
        case _:
            raise PackingError


def _gunzipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    gzip, is_empty = zlib.decompressobj(zlib.MAX_WBITS | 16), True
    try:
        for chunk in chunks:
            is_empty = False
            yield gzip.decompress(chunk, CHUNK)
            while gzip.unconsumed_tail:
                yield gzip.decompress(gzip.unconsumed_tail, CHUNK)
            if gzip.unused_data:
                raise PackingError
    except zlib.error:
        raise PackingError from None
    if not (gzip.eof or is_empty):
        raise PackingError


def kept(chunks: Iterable[bytes], *, expected: int, most: int, new_file: NewFile = TemporaryFile) -> Body:
    """Take in a whole body of at most `most` bytes; `expected` is its announced length, 0 if unknown.

    Raises TooLargeError as soon as it is certain, NoRoomError when a large body cannot be written.
    """
    if expected > most:
        raise TooLargeError
    size = 0
    with closing(_Shelf(new_file, on_disk=expected > IN_MEMORY)) as shelf:
        for chunk in chunks:
            size += len(chunk)
            if size > most:
                raise TooLargeError
            shelf.add(chunk)
        return shelf.body()


class _Shelf:
    """Where a body lies: in memory, and in a file as soon as it outgrows IN_MEMORY."""

    def __init__(self, new_file: NewFile, *, on_disk: bool) -> None:
        self._new_file, self._memory, self._size = new_file, BytesIO(), 0
        self._file: IO[bytes] | None = None
        if on_disk:
            self._move_to_disk()

    def add(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._file is None and self._size > IN_MEMORY:
            self._move_to_disk()
        if self._file is None and self._size == len(chunk):
            self._memory = BytesIO(chunk)  # a body that comes in one piece is kept as it is, without a copy
            self._memory.seek(0, SEEK_END)
        elif self._file is None:
            self._memory.write(chunk)
        else:
            with _room():
                self._file.write(chunk)

    def _move_to_disk(self) -> None:
        with _room():
            self._file = self._new_file()
            self._file.write(self._memory.getbuffer())
        self._memory = BytesIO()

    def body(self) -> Body:
        if self._file is None or not self._size:
            return self._memory.getvalue()  # hands its buffer over, without a copy
        with _room():
            self._file.flush()
            return mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)

    def close(self) -> None:
        """Close the file; a map of it stays whole."""
        if self._file is not None:
            with suppress(OSError):  # what was not written in time cannot be written now
                self._file.close()


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError:
        raise NoRoomError from None
