"""Health of a connection as a row of the stream `connections`: how it ended, who must act, how fresh its bills are.

Pure. A row is made from the facts of this sync alone, so that a warning clears itself once the login is repaired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from source_linkless.bills import Account, Document, content
from source_linkless.clock import day_number, latest_bill_date
from source_linkless.errors import Actor, Status
from source_linkless.linking import events
from source_linkless.provider.outcomes import NO_DATA, PARTIAL_ACCOUNTS, UNKNOWN, Outcome, outcome

_LATE = 1.5
"""A bill is late when the newest is older than this many usual intervals of its account."""
_FEWEST_BILLS = 3  # fewer do not tell what is usual


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a document held: numbers only, so that it may be forgotten."""

    observed_at: str
    source_name: str | None = None
    source_country: str | None = None
    accounts: int = 0
    statements: int = 0
    latest_billing_date: str | None = None
    late_accounts: int = 0
    warning: str | None = None
    findings: Sequence[str] = ()
    """What could not be shown of it, as sentences."""
    is_empty: bool = True
    """No bill at all, not even one from before the start date."""
    lost_bills: int = 0
    """Bills that could not be read."""


@dataclass(frozen=True, slots=True)
class Bills:
    """What is kept of an account that was read: whether it counts, and the billing dates of its bills."""

    is_account: bool
    dates: Sequence[str | None]


def bills_of(account: Account) -> Bills:
    """Keep of an account what a delivery is counted from."""
    is_account = account.is_readable or bool(account.number)
    return Bills(is_account, [bill.billing_date for bill in account.statements])


def delivery_of(
    document: Document, read: Sequence[Bills], observed_at: str, start_date: str | None, *, had_lines: bool = False
) -> Delivery:
    """Count what a document holds, `read` being its accounts; bills dated before `start_date` are not delivered.

    `had_lines` says whether an earlier sync had charges.
    """
    latest = latest_bill_date(observed_at)
    dates = [date for bills in read for date in bills.dates]
    delivered = [date for date in dates if date is None or date >= (start_date or "")]
    return Delivery(
        observed_at,
        document.source_name,
        document.source_country,
        accounts=sum(bills.is_account for bills in read),
        statements=len(delivered),
        latest_billing_date=max((date for date in delivered if date is not None and date <= latest), default=None),
        late_accounts=sum(_is_late(bills.dates, observed_at[:10], latest) for bills in read),
        warning=document.warning,
        findings=tuple(document.findings.sentences(had_lines=had_lines)),
        lost_bills=len(document.findings.lost),
        is_empty=not dates,
    )


def _is_late(dates: Sequence[str | None], today: str, latest: str) -> bool:
    known = sorted({date for date in dates if date is not None and date <= latest})
    if len(known) < _FEWEST_BILLS:
        return False
    days = [*map(day_number, known)]
    usual = median(later - earlier for earlier, later in pairwise(days))
    return day_number(today) - days[-1] > _LATE * usual


def judged(finished: events.Finished, delivery: Delivery | None) -> Outcome:
    """Return the outcome of a login in the light of what its document held."""
    result, context = finished.outcome, finished.context
    if delivery is None or result.status is not Status.READY:
        return result
    if delivery.is_empty and delivery.lost_bills:
        message = " ".join([*delivery.findings, "Tell the provider's support."])
        return replace(outcome("UNREADABLE_DOCUMENT", UNKNOWN), message=message)
    if delivery.warning is None and delivery.is_empty:
        return outcome(None, NO_DATA)
    expected = context.account_count if context and not delivery.warning else None
    if expected is not None and delivery.accounts < expected:  # goes before any concern: rows of a table are at stake
        partial = f"The provider delivered {delivery.accounts} of {expected} accounts; the next sync asks again."
        actor = Actor.PROVIDER if result.reason is None else result.actor
        result = replace(result, reason=PARTIAL_ACCOUNTS, actor=actor, message=f"{result.message} {partial}".strip())
    notes = [result.message, *_notes(delivery)]
    return replace(result, message=" ".join(note for note in notes if note))


def _notes(delivery: Delivery) -> list[str]:
    notes = []
    if delivery.late_accounts:
        notes.append(
            f"New bills are overdue for {delivery.late_accounts} of {delivery.accounts} accounts: the newest is older "
            "than one and a half usual intervals. See 'auto_refresh' and 'refresh_after_days'."
        )
    if delivery.warning:
        notes.append(f"{delivery.warning[0].upper()}{delivery.warning[1:]}.")
    return [*notes, *delivery.findings]


def is_worth_a_warning(outcome: Outcome) -> bool:
    """Tell whether a person should hear of this outcome: everything but a plain success."""
    return outcome.status is not Status.READY or bool(outcome.message)


def connection_row(
    finished: events.Finished, connection_id: str | None, result: Outcome, delivery: Delivery | None, observed_at: str
) -> content.Rows:
    """Make the record of `connections` for one login; what is unknown is left out."""
    context, login = finished.context, finished.login
    row = content.known(
        connection_id=connection_id,
        source_id=(context and context.source_id) or login.source_id,
        source_name=(delivery and delivery.source_name) or (context and context.source_name),
        source_country=delivery and delivery.source_country,
        status=result.status.value,
        reason=result.reason,
        actor=result.actor.value,
        message=result.message or None,
        accounts_expected=context and context.account_count,
        accounts_delivered=delivery and delivery.accounts,
        statements_delivered=delivery and delivery.statements,
        latest_billing_date=delivery and delivery.latest_billing_date,
        waited_seconds=round(finished.waited, 3),
    )
    common = {"connection_key": login.key, "observed_at": observed_at}
    return content.Rows(content.members(common), [content.members(row)])
