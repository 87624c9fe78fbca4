"""The streams: name, key, schema and projection of each. Pure.

Every stream but `connections` and `statement_files` is a projection of the same document, so selecting them all costs
the calls of one. `statement_files` is opt-in: each of its rows costs a request.
A new stream is one row of `STREAMS` and one file in `schemas/`.

A projection divides an account into parts: what is compared, and sent, as one piece. For `sustainability` and
`accounts` that is the account; for `statements`, `charges` and `payments` the bill.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Any, NamedTuple

import orjson
from airbyte_cdk.models import AirbyteStream, SyncMode

from source_linkless.bills import Account, Document, Statement, content

Row = dict[str, Any]


class Delivery(NamedTuple):
    """One account of a document that arrived, as a projection sees it. `start_date`: ISO date or None."""

    connection_id: str | None
    document: Document
    account: Account
    start_date: str | None

    def bills(self) -> Sequence[Statement]:
        """Return the bills that `start_date` lets through; a bill without a billing date always passes."""
        start, bills = self.start_date, self.account.statements
        return [bill for bill in bills if (bill.billing_date or start) >= start] if start else bills


class Whole(NamedTuple):
    """An account as one part; `fingerprint` is equal for two parts exactly if their rows are."""

    fingerprint: str
    row: Callable[[], content.Members]
    billing_date: str | None = None


Part = Statement | Whole


class Stream(NamedTuple):
    """One stream.

    `version` is raised whenever the same document would give other rows: then all are sent again. `parts` divides an
    account; it returns None when the stream cannot show the account (unreadable bills) or must not (personal data).
    `rows` makes the rows of a part. A stream without `parts` is not made from documents. `has_files`: each record comes
    with a file, which costs a request.
    """

    name: str
    primary_key: tuple[str, ...]
    version: int
    parts: Callable[[Delivery], Sequence[Part] | None] | None = None
    rows: Callable[[Any], Sequence[content.Members]] = lambda whole: [whole.row()]
    has_files: bool = False

    def json_schema(self) -> dict[str, Any]:
        """Load the packaged schema of the stream's records."""
        file = resources.files(__package__).joinpath("schemas", f"{self.name}.json")
        schema: dict[str, Any] = json.loads(file.read_bytes())
        return schema


def _account_row(delivery: Delivery) -> Row:
    """Return the columns that `sustainability` and `accounts` share, but for `connection_id`.

    The connection is no part of what is compared between two syncs: an unchanged account is not sent again because
    its connection became known or was linked again.
    """
    document, account = delivery.document, delivery.account
    return content.known(
        account_number=account.number,
        source_name=document.source_name,
        source_country=document.source_country,
        other_fields=content.merged_fields([document.other_fields, account.other_fields]) or None,
    )


def _sustainability(delivery: Delivery) -> Sequence[Part] | None:
    if not delivery.document.personal.is_kept:
        return None  # it holds free text
    row, sent = _account_row(delivery), delivery.account.sent
    bills = None if sent is None else sorted(statement.content_hash for statement in sent)

    def written() -> content.Members:
        # One bill at a time: an account may be too large to be held decoded.
        texts = None if sent is None else [orjson.Fragment(one.content().text()) for one in sent]
        return content.members(row | content.known(connection_id=delivery.connection_id, statements=texts))

    return [Whole(content.digest({**row, "bills": bills}), written)]


def _accounts(delivery: Delivery) -> Sequence[Part] | None:
    if not delivery.account.is_readable:
        return None
    bills = delivery.bills()
    dates = [bill.billing_date for bill in bills if bill.billing_date is not None]
    row = _account_row(delivery) | content.known(
        statement_count=len(bills),
        first_billing_date=min(dates, default=None),
        last_billing_date=max(dates, default=None),
    )
    connection = content.known(connection_id=delivery.connection_id)
    return [Whole(content.digest(row), lambda: content.members(row | connection))]


def _bills(delivery: Delivery) -> Sequence[Part] | None:
    return delivery.bills() if delivery.account.is_readable else None


_BILL = ("connection_key", "account_number", "statement_key")

STREAMS: Mapping[str, Stream] = {
    stream.name: stream
    for stream in (
        Stream("sustainability", ("connection_key", "account_number"), 3, _sustainability),
        Stream("accounts", ("connection_key", "account_number"), 3, _accounts),
        Stream("statements", _BILL, 2, _bills, Statement.row),
        Stream("charges", (*_BILL, "charge_key"), 4, _bills, Statement.charges),
        Stream("payments", (*_BILL, "payment_key"), 3, _bills, Statement.payments),
        Stream("connections", ("connection_key",), 1),
        Stream("statement_files", _BILL, 1, has_files=True),
    )
}


def catalog_streams() -> list[AirbyteStream]:
    """Describe every stream for `discover`, without any network.

    `is_resumable` is False: with True the platform keeps the generation between the attempts of a full
    refresh, and both attempts' rows land.
    """
    return [
        AirbyteStream(
            name=stream.name,
            json_schema=stream.json_schema(),
            supported_sync_modes=[SyncMode.full_refresh, SyncMode.incremental],
            source_defined_cursor=True,
            default_cursor_field=["observed_at"],
            source_defined_primary_key=[[column] for column in stream.primary_key],
            is_resumable=False,
            is_file_based=stream.has_files or None,
        )
        for stream in STREAMS.values()
    ]
