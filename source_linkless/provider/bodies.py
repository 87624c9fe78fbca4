"""Receiving the body of an answer: unpacked, limited in size, and on disk instead of in memory once it is large.

    pieces from the network ──► unpacked (gzip) ──► collected ──► up to 32 MB: bytes
                                                        └───────► larger: an unnamed temporary file, mapped for reading

The file has no name, so the system frees its space when the last user closes it, even after SIGKILL.
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
"""A buffer: bytes, or a mapped file, whose pages do not count as memory of the process."""
NewFile = Callable[[], IO[bytes]]

MB = 2**20
IN_MEMORY = 32 * MB
"""Most bytes of a body that stay in memory. A body with a larger announced length goes to disk from its first byte."""
CHUNK = 2**18
"""Most bytes that are read, or unpacked, at once."""
_PACKED_PIECE = 2**14
"""Most packed bytes that zlib gets at once: it copies what it could not use yet."""
FREELY_UNPACKED = 16 * MB
"""Bytes that a body may always have when unpacked, however few were received."""
MOST_PER_PACKED_BYTE = 200
"""Most bytes per received byte above that. JSON of bills packs 10 to 40 times smaller; gzip allows 1,000 times."""


class TooLargeError(Exception):
    """The body has more bytes than allowed, or was packed far smaller than real documents are."""


class NoRoomError(Exception):
    """A large body could not be written: a full disk, a quota, or no writable folder for temporary files."""


class PackingError(Exception):
    """The body does not match its `Content-Encoding`."""


def unpacked(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Yield a body without its `Content-Encoding`, at most CHUNK bytes at once.

    Raises PackingError for damaged or incomplete gzip and for an encoding that was not asked for, TooLargeError when
    the body grows beyond MOST_PER_PACKED_BYTE.
    """
    match encoding.strip().lower():
        case "" | "identity":
            yield from pieces
        case "gzip" | "x-gzip":
            yield from _gunzipped(pieces)
        case _:
            raise PackingError


def _gunzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Unpack gzip, which may consist of several members and end with zero bytes (RFC 1952, section 2.2)."""
    received = sent = 0
    member = None
    try:
        for packed in _small(pieces):
            received += len(packed)
            rest = packed
            while rest:
                member = member or zlib.decompressobj(zlib.MAX_WBITS | 16)
                data = member.decompress(rest, CHUNK)
                rest = member.unconsumed_tail
                if member.eof:
                    rest, member = member.unused_data.lstrip(b"\0"), None
                sent += len(data)
                if sent > max(FREELY_UNPACKED, MOST_PER_PACKED_BYTE * received):
                    raise TooLargeError
                yield data
    except zlib.error:
        raise PackingError from None
    if member is not None:
        raise PackingError


def _small(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        for start in range(0, len(piece), _PACKED_PIECE):
            yield piece[start : start + _PACKED_PIECE]


def collected(pieces: Iterable[bytes], *, expected: int, most: int, new_file: NewFile = TemporaryFile) -> Body:
    """Return a whole body of at most `most` bytes; `expected` is its announced length, 0 if unknown.

    Raises TooLargeError as soon as that is certain, NoRoomError when a large body cannot be written.
    """
    if expected > most:
        raise TooLargeError
    size = 0
    with closing(_Store(new_file, on_disk=expected > IN_MEMORY)) as store:
        for piece in pieces:
            size += len(piece)
            if size > most:
                raise TooLargeError
            store.add(piece)
        return store.body()


class _Store:
    """The bytes of one body: in memory, and in a file as soon as there are more than IN_MEMORY."""

    def __init__(self, new_file: NewFile, *, on_disk: bool) -> None:
        self._new_file, self._memory, self._size = new_file, BytesIO(), 0
        self._file: IO[bytes] | None = None
        if on_disk:
            self._move_to_disk()

    def add(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._file is None and self._size > IN_MEMORY:
            self._move_to_disk()
        if self._file is None and self._size == len(piece):
            self._memory = BytesIO(piece)  # a body that arrives in one piece is not copied
            self._memory.seek(0, SEEK_END)
        elif self._file is None:
            self._memory.write(piece)
        else:
            with _room():
                self._file.write(piece)

    def _move_to_disk(self) -> None:
        with _room():
            self._file = self._new_file()
            self._file.write(self._memory.getbuffer())
        self._memory = BytesIO()

    def body(self) -> Body:
        if self._file is None or not self._size:
            return self._memory.getvalue()  # returns the buffer itself, not a copy
        with _room():
            self._file.flush()
            return mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)

    def close(self) -> None:
        """Close the file; a map of it stays readable."""
        if self._file is not None:
            with suppress(OSError):  # buffered bytes of a body that was given up may not fit on the disk
                self._file.close()


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError:
        raise NoRoomError from None
