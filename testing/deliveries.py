"""A document delivered to one stream, as `sync` does it: account after account, then what vanished."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from source_linkless.bills import Document
from source_linkless.sync.changes import StreamChanges

Row = dict[str, Any]


class Connection(NamedTuple):
    """A login that delivers: its key in the warehouse and, when known, the provider's id of the connection."""

    key: str
    connection_id: str | None


def delivered(changes: StreamChanges, connection: Connection, document: Document, observed_at: str) -> Iterator[Row]:
    """Yield the rows of all accounts of a document."""
    changes.observe(*connection, observed_at)
    for account in document.accounts():
        for rows in changes.rows(connection.key, document, account):
            yield from rows.dicts()


def vanished(
    changes: StreamChanges, connection: Connection, document: Document, still_expected: Iterable[str] = ()
) -> Iterator[Row]:
    """Yield the rows of accounts that the document no longer has."""
    for rows in changes.vanished(connection.key, document, still_expected):
        yield from rows.dicts()
