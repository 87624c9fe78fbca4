"""A bounded cache of documents: built when first needed, serialised once per version, least recently used dropped."""

import json
from collections import OrderedDict
from dataclasses import dataclass
from datetime import date
from threading import Lock

from linkless_simulator.bills import Document, Sizes
from linkless_simulator.shapes import SHAPES
from linkless_simulator.sources import Source


@dataclass(frozen=True, slots=True)
class Title:
    """Identifies a document: login, source, shape, number of the delivery, sizes, and accounts (None: all)."""

    login: str
    source: Source
    shape: str
    version: int
    sizes: Sizes
    accounts: frozenset[str] | None = None


class Library:
    """Documents by title. Threads may share it; two of them may build the same document once each."""

    def __init__(self, today: date, max_bytes: int) -> None:
        """Keep at most `max_bytes` of serialised documents (and always the newest one)."""
        self._today = today
        self._max_bytes = max_bytes
        self._held = 0
        self._bodies: OrderedDict[Title, bytes] = OrderedDict()
        self._lock = Lock()

    def body(self, title: Title) -> bytes:
        """Return the serialised document."""
        with self._lock:
            if (body := self._bodies.get(title)) is not None:
                self._bodies.move_to_end(title)
                return body
        return self._keep(title, serialise(self.build(title)))

    def build(self, title: Title) -> Document:
        """Return a new copy of the document."""
        result = SHAPES[title.shape].build(title.login, title.source, title.sizes, self._today, title.version)
        if title.accounts is not None and "accounts" in result:
            result["accounts"] = [a for a in result["accounts"] if a["account_number"] in title.accounts]
        return result

    def _keep(self, title: Title, body: bytes) -> bytes:
        with self._lock:
            self._held += len(body) - len(self._bodies.get(title, b""))
            self._bodies[title] = body
            while self._held > self._max_bytes and len(self._bodies) > 1:
                self._held -= len(self._bodies.popitem(last=False)[1])
        return body


def serialise(document: Document) -> bytes:
    """Return the document as the bytes of an answer."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
