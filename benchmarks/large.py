"""The memory of reading one large document, in shares of its size; see `memory`."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.connector import status_of
from benchmarks.costs import cpu_of
from benchmarks.deliverer import deliverer
from benchmarks.documents import Huge, Size, body
from benchmarks.figures import Limit, aligned, spread
from benchmarks.jobs import ALL_STREAMS, FLOOR, OURS, Job, Workshop

MOST = 1.3
MOST_ANONYMOUS_MEGABYTES = 64.0
_SAMPLE_SECONDS = 0.01
_FIELDS = {"VmHWM:": "peak", "RssAnon:": "anonymous"}
SMALL_BILLS = Size(statements=73, charges=2, payments=1)
"""Accounts of which 200 MB hold 3,300."""
_SMALLEST = Size(accounts=1, statements=1, charges=1, payments=1)
_MEGABYTE = 1_000_000


@dataclass(slots=True)
class Memory:
    """The most memory of one process, in bytes."""

    peak: int = 0
    """By the kernel's own count, mapped files included."""
    anonymous: int = 0
    """Sampled; what only swapping could free."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a reader took for the document beyond what it takes for one bill."""

    reader: str
    base: Memory
    whole: Memory
    size: int
    seconds: float
    """Of CPU for the whole process."""

    @property
    def peak(self) -> int:
        """Bytes of memory for the document."""
        return self.whole.peak - self.base.peak

    @property
    def anonymous(self) -> int:
        """Bytes of anonymous memory for the document."""
        return self.whole.anonymous - self.base.anonymous


def found(about: int, *, is_of_small_bills: bool = False) -> list[Found]:
    """Let the floor and ours read a document of about so many bytes; one of small bills into all streams."""
    size, ours = (SMALL_BILLS, ALL_STREAMS) if is_of_small_bills else (Size(), OURS)
    return [_found(job, Huge(about, size)) for job in (FLOOR, ours)]


def _found(job: Job, document: Huge) -> Found:
    with tempfile.TemporaryDirectory() as folder, deliverer([document, body(0, _SMALLEST)]) as provider:
        command = Workshop(Path(folder), provider.url).command(job, 1)
        whole, seconds = _measured(command)
        provider.documents = provider.documents[1:]
        base, _ = _measured(command)
    return Found(job.name, base, whole, document.size, seconds)


def _measured(command: Sequence[str]) -> tuple[Memory, float]:
    memory, ended, watching = Memory(), threading.Event(), list[threading.Thread]()

    def watch(process: int) -> None:
        watching.append(threading.Thread(target=_watch, args=(process, memory, ended)))
        watching[0].start()

    try:
        seconds = cpu_of(command, started=watch)
    finally:
        ended.set()
        watching[0].join()
    return memory, seconds


def _watch(process: int, memory: Memory, ended: threading.Event) -> None:
    while not ended.wait(_SAMPLE_SECONDS):
        told = status_of(process)
        for name in _FIELDS.keys() & told.keys():
            field = _FIELDS[name]
            setattr(memory, field, max(getattr(memory, field), told[name] * 1024))


def table(readers: Sequence[Found]) -> str:
    """Lay the figures out; MB are millions of bytes."""
    head = [
        "reader",
        "document (MB)",
        "one bill: peak",
        "anonymous",
        "document: peak",
        "anonymous",
        "more / size",
        "CPU (s)",
    ]
    return aligned(head, [_row(one) for one in readers])


def _row(one: Found) -> list[str]:
    memories = one.base.peak, one.base.anonymous, one.whole.peak, one.whole.anonymous
    shown = [f"{bytes_ / _MEGABYTE:,.0f}" for bytes_ in (one.size, *memories)]
    return [one.reader, *shown, f"{one.peak / one.size:.2f}", f"{one.seconds:.1f}"]


def limits(ours: Found) -> list[Limit]:
    """Compare the memory of ours with its limits."""
    peak, anonymous = spread([ours.peak / ours.size]), spread([ours.anonymous / _MEGABYTE])
    return [
        Limit("memory for a document / its size", peak, at_most=MOST),
        Limit("anonymous memory for a document (MB)", anonymous, at_most=MOST_ANONYMOUS_MEGABYTES),
    ]
