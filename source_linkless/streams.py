"""The streams: name, key, schema and projection of each. Pure.

Every stream but `connections` is a projection of the same document, so selecting six costs the calls of one.
A new stream is one row of `STREAMS` and one file in `schemas/`.

A projection divides an account into parts: what is compared, and sent, as one piece. For `sustainability` and
`accounts` that is the account; for `statements`, `charges` and `payments` the bill.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import resources
from typing import Any

import orjson
from airbyte_cdk.models import AirbyteStream, SyncMode

from source_linkless.bill_lines import CHARGES, PAYMENTS
from source_linkless.content import digest, merged_fields
from source_linkless.documents import Account, Document, Statement
from source_linkless.rows import Members, known, members

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One account of a document that arrived, as a projection sees it. `start_date`: ISO date or None."""

    connection_id: str | None
    document: Document
    account: Account
    start_date: str | None

    def bills(self) -> list[Statement]:
        """Return the bills that `start_date` lets through; a bill without a billing date always passes."""
        start, bills = self.start_date or "", self.account.statements
        return [bill for bill in bills if bill.billing_date is None or bill.billing_date >= start]


@dataclass(slots=True)  # as in `bill_content`
class Part:
    """A piece of an account: equal `fingerprint` means that `rows` would make the same rows again.

    `date` is the billing date, or None when the part has no place in time. A row is made when it is asked for.
    """

    date: str | None
    fingerprint: str
    rows: Callable[[], Sequence[Members]]


Projection = Callable[[Delivery], list[Part] | None]
"""Divides an account into parts; None: the stream cannot show it (unreadable bills), or must not (personal data)."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream.

    `version` is raised whenever the same document would give other rows: then all are sent again. `project`
    is None where the rows do not come from a document.
    """

    name: str
    primary_key: tuple[str, ...]
    version: int
    project: Projection | None

    def json_schema(self) -> dict[str, Any]:
        """Load the packaged schema of the stream's records."""
        file = resources.files(__package__).joinpath("schemas", f"{self.name}.json")
        schema: dict[str, Any] = json.loads(file.read_bytes())
        return schema


def _account_row(delivery: Delivery) -> Row:
    document, account = delivery.document, delivery.account
    return known(
        account_number=account.number,
        connection_id=delivery.connection_id,
        source_name=document.source_name,
        source_country=document.source_country,
        other_fields=merged_fields([document.other_fields, account.other_fields]) or None,
    )


def _sustainability(delivery: Delivery) -> list[Part] | None:
    if not delivery.document.personal.is_kept:
        return None  # free text: nobody knows what it holds
    row, sent = _account_row(delivery), delivery.account.sent
    bills = None if sent is None else sorted(statement.content_hash for statement in sent)

    def rows() -> list[Members]:
        # One bill at a time: an account may be too large to be held decoded.
        texts = None if sent is None else [orjson.Fragment(one.content().text()) for one in sent]
        return [members(row | known(statements=texts))]

    return [Part(None, digest({**row, "bills": bills}), rows)]


def _accounts(delivery: Delivery) -> list[Part] | None:
    if not delivery.account.is_readable:
        return None
    bills = delivery.bills()
    dates = [bill.billing_date for bill in bills if bill.billing_date is not None]
    row = _account_row(delivery) | known(
        statement_count=len(bills),
        first_billing_date=min(dates, default=None),
        last_billing_date=max(dates, default=None),
    )
    return [Part(None, digest(row), lambda: [members(row)])]


BillRows = Callable[[str, Statement], Sequence[Members]]


def _per_bill(rows: BillRows) -> Projection:
    def project(delivery: Delivery) -> list[Part] | None:
        if not delivery.account.is_readable:
            return None
        number = delivery.account.number
        return [
            Part(bill.billing_date, f"{bill.content_hash} {bill.key}", partial(rows, number, bill))
            for bill in delivery.bills()
        ]

    return project


def _statement_rows(number: str, bill: Statement) -> list[Members]:
    ours = _bill_keys(number, bill) | {"statement_key_basis": bill.key_basis, "content_hash": bill.content_hash}
    return [b",".join(filter(None, (members(ours), bill.content().row(number))))]


def _charge_rows(number: str, bill: Statement) -> Sequence[Members]:
    return CHARGES.of(_bill_keys(number, bill) | known(billing_date=bill.billing_date), bill)


def _payment_rows(number: str, bill: Statement) -> Sequence[Members]:
    return PAYMENTS.of(_bill_keys(number, bill), bill)


def _bill_keys(number: str, bill: Statement) -> Row:
    return {"account_number": number, "statement_key": bill.key}


_BILL = ("connection_key", "account_number", "statement_key")

STREAMS: Mapping[str, Stream] = {
    stream.name: stream
    for stream in (
        Stream("sustainability", ("connection_key", "account_number"), 1, _sustainability),
        Stream("accounts", ("connection_key", "account_number"), 1, _accounts),
        Stream("statements", _BILL, 1, _per_bill(_statement_rows)),
        Stream("charges", (*_BILL, "charge_key"), 2, _per_bill(_charge_rows)),
        Stream("payments", (*_BILL, "payment_key"), 2, _per_bill(_payment_rows)),
        Stream("connections", ("connection_key",), 1, None),
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
        )
        for stream in STREAMS.values()
    ]
