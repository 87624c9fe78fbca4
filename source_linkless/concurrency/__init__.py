"""Concurrency: how to wait, and the bridge between an event loop and the generator that Airbyte consumes.

    event loop in a background thread                         the caller's thread
    tasks ─► RateLimit, Pace, Deadline ───────► emit ════► events_of(main) ─► for event in …
             └─ requests in DaemonThreads

`waiting` uses the event loop's time, so tests let it jump. `handover` acknowledges each event when it was consumed.
"""

from source_linkless.concurrency import waiting
from source_linkless.concurrency.handover import DaemonThreads, Emit, events_of
from source_linkless.concurrency.waiting import RateLimit

__all__ = ["DaemonThreads", "Emit", "RateLimit", "events_of", "waiting"]
