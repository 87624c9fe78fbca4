"""What is told of logins: the row of each in `connections`, the end of a sync, and the answer of `check`. Pure.

    accounts ─► Delivery ─┐
    Finished ─────────────┴─► judged ─► Outcome ─► connection_row
                                           └─► failure_of (sync), check_status (check)

Every hole, which is a login without its data, is a row and a warning. By `failed_connections` a sync fails:

    report    when no login worked, or when a table that is being replaced would lose rows
    fail      with any hole
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from airbyte_cdk import models
from airbyte_cdk.models import AirbyteConnectionStatus, ConfiguredAirbyteStream, FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_linkless.bills import Account, Document, content
from source_linkless.clock import latest_bill_date
from source_linkless.config import Config
from source_linkless.errors import Actor, Problem, Status, Then
from source_linkless.linking import events
from source_linkless.provider.outcomes import NO_DATA, PARTIAL_ACCOUNTS, Outcome, outcome, own
from source_linkless.sync.changes import Known

_LATE = 1.5  # a bill is late when the newest is older than this many usual intervals of its account
_FEWEST_BILLS = 3  # fewer do not tell what is usual
_FAILING = {Status.NEEDS_USER, Status.FAILED}  # in a check; a login that is still connecting is left to the sync
_KEYS_SHOWN = 25
_STEPS_OF_A_CHECK = 5
_DO_NOT_REPEAT = (
    "Do not test the same login again before it is corrected: while a source is not saved yet, every test submits "
    "it to the utility once more, and a few wrong passwords lock an account."
)


@dataclass(slots=True, repr=False)
class Delivery:
    """What a document held, counted account by account.

    `start_date` is an ISO date or empty: bills dated before it are not delivered. `earlier` is what was known of the
    login before. `is_empty`: no bill at all, not even one from before the start date.
    """

    document: Document
    earlier: Known
    observed_at: str
    start_date: str
    accounts: int = 0
    statements: int = 0
    latest_billing_date: str | None = None
    late_accounts: int = 0
    is_empty: bool = True

    def count(self, account: Account) -> None:
        """Count the bills of the next account of the document."""
        latest = latest_bill_date(self.observed_at)
        dates = [bill.billing_date for bill in account.statements]
        known = sorted({date for date in dates if date is not None and date <= latest})
        self.accounts += account.is_readable or bool(account.number)
        self.statements += sum(date is None or date >= self.start_date for date in dates)
        self.is_empty = self.is_empty and not dates
        if known and known[-1] >= self.start_date:
            self.latest_billing_date = max(known[-1], self.latest_billing_date or "")
        if len(known) >= _FEWEST_BILLS:
            days = [dt.date.fromisoformat(written).toordinal() for written in (*known, self.observed_at[:10])]
            *between, since = (later - earlier for earlier, later in pairwise(days))
            self.late_accounts += since > _LATE * median(between)


def judged(finished: events.Finished, delivery: Delivery | None) -> Outcome:
    """Return the outcome of a login in the light of what its document held."""
    result, context = finished.outcome, finished.context
    if delivery is None or result.status is not Status.READY:
        return result
    document = delivery.document
    findings = document.findings.sentences(had_lines=delivery.earlier.had_lines)
    if delivery.is_empty and document.findings.lost:
        return replace(own("UNREADABLE_DOCUMENT"), message=" ".join([*findings, "Tell the provider's support."]))
    if delivery.is_empty and document.is_readable:
        return outcome(None, NO_DATA)
    notes = [result.message]
    expected = context.account_count if context and document.is_readable else None
    if expected is not None and delivery.accounts < expected:  # goes before any concern: rows of a table are at stake
        notes.append(f"The provider delivered {delivery.accounts} of {expected} accounts; the next sync asks again.")
        actor = Actor.PROVIDER if result.reason is None else result.actor
        result = replace(result, reason=PARTIAL_ACCOUNTS, actor=actor)
    if delivery.late_accounts:
        notes.append(
            f"New bills are overdue for {delivery.late_accounts} of {delivery.accounts} accounts: the newest is older "
            "than one and a half usual intervals. See 'auto_refresh' and 'refresh_after_days'."
        )
    if document.warning:
        notes.append(f"{document.warning[0].upper()}{document.warning[1:]}.")
    return replace(result, message=" ".join(filter(None, [*notes, *findings])))


def connection_row(finished: events.Finished, delivery: Delivery | None, observed_at: str) -> content.Rows:
    """Make the record of `connections` for one login; what is unknown is left out."""
    result, context, login = finished.outcome, finished.context, finished.login
    document = delivery and delivery.document
    row = content.known(
        connection_id=finished.connection_id,
        source_id=(context and context.source_id) or login.source_id,
        source_name=(document and document.source_name) or (context and context.source_name),
        source_country=document and document.source_country,
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


def is_incomplete(outcome: Outcome, delivery: Delivery | None, *, had_rows: bool) -> bool:
    """Tell whether a table that is replaced would lose rows of a login although it is no hole.

    `had_rows`: earlier syncs sent some. A document may have bills that could not be read, or a shape that only
    `sustainability` can show.
    """
    is_unread = delivery is not None and bool(delivery.document.warning or delivery.document.findings.lost)
    is_emptied = outcome.status is Status.NO_DATA and had_rows
    return outcome.reason == PARTIAL_ACCOUNTS or is_emptied or is_unread


def is_replaced(stream: ConfiguredAirbyteStream) -> bool:
    """Tell whether the destination replaces this stream's table with what this run sends.

    With generations (the platform's refreshes, and its `overwrite`): when the minimum is the present one. Without:
    full refresh with overwrite. `incremental` with overwrite is what PyAirbyte asks of every stream, with 1 for both
    generations (0.71.3), and it merges by primary key: no replacement. The platform has no such combination.
    """
    overwrites = stream.destination_sync_mode is models.DestinationSyncMode.overwrite
    if stream.stream.name == "connections" or (overwrites and stream.sync_mode is models.SyncMode.incremental):
        return False
    minimum = stream.minimum_generation_id
    if minimum is not None and stream.generation_id is not None:
        return bool(minimum > 0 and minimum == stream.generation_id)
    return overwrites


def failure_of(
    config: Config, ends: Mapping[str, Outcome], incomplete: Container[str], streams: Iterable[ConfiguredAirbyteStream]
) -> AirbyteTracedException | None:
    """Return the one error of a failed run, naming every hole with its next step, or None if the run succeeded.

    `ends` and `incomplete` are by the key of a login. The platform repeats only what a repeat within minutes can cure:
    any transient hole, but no other.
    """
    holes, why = {key: end for key, end in ends.items() if end.status not in (Status.READY, Status.NO_DATA)}, ""
    if len(holes) < len(ends) and not (holes and config.failed_connections == "fail"):
        holes = {key: end for key, end in ends.items() if key in holes or key in incomplete}
        names = ", ".join(stream.stream.name for stream in streams if is_replaced(stream))
        if not holes or not names:
            return None
        why = f" The tables that this sync replaces ({names}) would lose their rows, so they stay as they are."
    what = "The login" if len(ends) == 1 else f"{len(holes)} of {len(ends)} logins"
    message = "\n".join([f"{what} could not be read completely.{why}", *steps(holes)])
    details = [f"{key}: {end.reason} {end.detail}" for key, end in holes.items()]
    kinds = {end.failure for end in holes.values()}
    failure = FailureType.system_error if kinds == {FailureType.system_error} else FailureType.config_error
    return AirbyteTracedException(
        message=message,
        internal_message="\n".join(details[:_KEYS_SHOWN]),
        failure_type=FailureType.transient_error if FailureType.transient_error in kinds else failure,
    )


def steps(holes: Mapping[str, Outcome]) -> list[str]:
    """Say what to do, once for all logins that need the same."""
    groups, told = defaultdict[str, list[str]](list), []
    for key, end in holes.items():
        groups[_sentence(end)].append(key)
    for sentence, keys in groups.items():
        more = len(keys) - _KEYS_SHOWN
        others = f" and {more} more (see the stream connections)" if more > 0 else ""
        told.append(f"{', '.join(keys[:_KEYS_SHOWN])}{others}: {sentence}")
    return told


def _sentence(outcome: Outcome) -> str:
    return f"{outcome.reason}. {outcome.message}" if outcome.reason else outcome.message


def described(outcome: Outcome) -> str:
    """Return an outcome in words: reason code, what to do, identifiers for support. A plain success has none: empty."""
    return _sentence(outcome) + (f" ({outcome.detail})" if outcome.detail else "")


def check_status(
    config: Config, finished: Sequence[events.Finished], problem: Problem | None = None
) -> AirbyteConnectionStatus:
    """Return the answer of a check from how the checked logins ended, or from the `problem` that ended it before.

    FAILED when the keys are refused or a sync could deliver nothing, else SUCCEEDED: counts, and each failing login by
    its key with what to do. Raises a transient error when an outage is all that stands in the way.
    """
    if problem:
        told = f"{problem.reason}. {problem.meaning.advice}"
        if problem.meaning.then is not Then.ASK_KEYS:
            raise _out_of_reach(config, told) from problem
        return AirbyteConnectionStatus(models.Status.FAILED, f"{told} Configured environment: {config.environment}.")
    counts = Counter(one.outcome.status for one in finished)
    failing = {one.login.key: one.outcome for one in finished if one.outcome.status in _FAILING}
    unchecked = len(config.logins) - len(finished)
    to_do = steps(failing)
    if failing and len(failing) == len(finished):
        if {end.failure for end in failing.values()} == {FailureType.transient_error}:
            raise _out_of_reach(config, "\n".join(to_do))
        if not unchecked:
            warning = [_DO_NOT_REPEAT] if counts[Status.NEEDS_USER] else []
            return AirbyteConnectionStatus(models.Status.FAILED, "\n".join([*to_do[:_STEPS_OF_A_CHECK], *warning]))
    parts = [
        (counts[Status.READY] + counts[Status.NO_DATA], "connected"),
        (counts[Status.PENDING], "still connecting; the sync goes on waiting"),
        (len(failing), "in need of attention"),
        (unchecked, "left to the sync"),
    ]
    said = ", ".join(f"{number} {what}" for number, what in parts if number)
    if config.method == "fleet":
        head = f"{len(config.logins)} login{'s' * (len(config.logins) > 1)}: {said}."
        return AirbyteConnectionStatus(models.Status.SUCCEEDED, "\n".join([head, *to_do[:_STEPS_OF_A_CHECK]]))
    advice = f"Its key in the warehouse is {config.logins[0].key}; keep this key when you move or edit it."
    return AirbyteConnectionStatus(models.Status.SUCCEEDED, f"{said[2:].capitalize()}. {advice}")


def _out_of_reach(config: Config, told: str) -> AirbyteTracedException:
    """Make the error of a check that an outage stopped; what the next sync would do is no help there."""
    told = told.replace("The next sync tries again.", "Test again later.")
    message = f"{told} Address: {config.api_url}"
    return AirbyteTracedException(message=message, internal_message=message, failure_type=FailureType.transient_error)
