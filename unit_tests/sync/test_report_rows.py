"""The row of a login in `connections`: how it ended, how much came, and whether new bills are overdue."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import orjson
import pytest
from airbyte_cdk.models import FailureType

from source_linkless.bills import read_document
from source_linkless.config import Login
from source_linkless.errors import Actor, Status
from source_linkless.linking.events import Finished
from source_linkless.provider.api import Context
from source_linkless.provider.outcomes import BROKEN, NO_DATA, READY, Outcome, outcome
from source_linkless.sync.changes import Known
from source_linkless.sync.report import Delivery, connection_row, described, is_incomplete, judged

OBSERVED = "2026-11-22T12:00:00.000000Z"
LOGIN = Login("hq", "source-of-the-login", username="u", password="a secret password")
CONTEXT = Context("c-1", "source-of-the-context", "Springfield", "Connected", "DataFound", OBSERVED, ("1", "2"), 2)


def delivered(body: bytes, start_date: str | None = None) -> Delivery:
    """Return the delivery of a document."""
    found = Delivery(read_document(body), Known(""), OBSERVED, start_date or "")
    for account in found.document.accounts():
        found.count(account)
    return found


def counts(found: Delivery) -> tuple[int, int, str | None, int, bool]:
    """Return everything that was counted."""
    return found.accounts, found.statements, found.latest_billing_date, found.late_accounts, found.is_empty


def row_of(end: Finished, result: Outcome, *facts: Any) -> dict[str, Any]:
    """Return the row of a login that was judged like this."""
    (row,) = connection_row(replace(end, outcome=result), *facts).dicts()
    return row


def delivery(*accounts: list[str | None], start_date: str | None = None, **envelope: Any) -> Delivery:
    """Return the delivery of a document whose accounts have bills of these dates."""
    body = {
        "accounts": [
            {
                "account_number": str(number),
                "statements": [{"statement_id": f"{n}", "billing_date": date} for n, date in enumerate(dates)],
            }
            for number, dates in enumerate(accounts)
        ],
        **envelope,
    }
    return delivered(orjson.dumps(body), start_date)


def finished(result: Outcome = READY, context: Context | None = CONTEXT) -> Finished:
    """Return the end of the login."""
    return Finished(LOGIN, result, "c-1", context, 12.3456)


def with_accounts(number: int | None) -> Context:
    """Return a context that promises a number of accounts."""
    return Context("c-1", None, None, "Connected", "DataFound", None, (), number)


def every(days: int, count: int, age: int) -> list[str | None]:
    """Return dates of bills with a distance of some days, the newest some days before the observation."""
    newest = date(2026, 11, 22) - timedelta(days=age)
    return [str(newest - timedelta(days=days * number)) for number in range(count)]


def test_a_delivery_is_counted() -> None:
    """Accounts, statements, the newest date; the envelope's names."""
    found = delivery(["2026-10-01", None], ["2026-11-01"], [], source_name="Springfield", source_country="US")
    assert counts(found) == (3, 3, "2026-11-01", 0, False)
    assert (found.document.source_name, found.document.source_country) == ("Springfield", "US")
    assert not is_incomplete(READY, found, had_rows=False)


def test_statements_before_the_start_date_are_not_counted() -> None:
    """Those without a date are delivered, and so they count; the bounds' own day is inside."""
    found = delivery(["2026-08-31", "2026-09-01", None], start_date="2026-09-01")
    assert (found.statements, found.latest_billing_date) == (2, "2026-09-01")


def test_nothing_delivered_has_no_newest_date() -> None:
    """An empty document is counted like any other."""
    assert counts(delivery()) == (0, 0, None, 0, True)
    assert delivery([None]).latest_billing_date is None


@pytest.mark.parametrize(
    ("dates", "late"),
    [
        (every(30, 6, age=45), 0),
        (every(30, 6, age=46), 1),
        (every(91, 3, age=136), 0),
        (every(91, 3, age=137), 1),
        (every(30, 2, age=900), 0),
        (every(30, 1, age=900), 0),
        ([], 0),
        ([None, None, None], 0),
        (["2020-01-01"] * 9, 0),
        ([*every(30, 6, age=60), "2019-01-01"], 1),
        ([None, *every(30, 6, age=60)], 1),
        (["2027-01-01", "2027-02-01", "2027-03-01"], 0),
    ],
)
def test_bills_are_overdue_after_one_and_a_half_usual_intervals(dates: list[str | None], late: int) -> None:
    """What is usual is the account's own, from at least three dates; one gap of years does not change it."""
    assert delivery(dates).late_accounts == late


def test_every_account_is_late_for_itself() -> None:
    """One account's bills do not hide that another's are missing, nor do dates before the start date."""
    found = delivery(every(30, 6, age=5), every(30, 6, age=60), every(30, 6, age=400), start_date="2026-11-01")
    assert found.late_accounts == 2
    result = judged(finished(context=None), found)
    assert result.message == (
        "New bills are overdue for 2 of 3 accounts: the newest is older than one and a half usual intervals. "
        "See 'auto_refresh' and 'refresh_after_days'."
    )
    assert (result.status, result.reason, result.actor) == (Status.READY, None, Actor.NOBODY)
    assert described(result)


def test_data_is_plain_success() -> None:
    """Nothing to say, nobody to act."""
    result = judged(finished(), delivery(["2026-11-01"], ["2026-11-02"]))
    assert result == READY
    assert described(result) == ""


@pytest.mark.parametrize("document", [delivery(), delivery([]), delivery([], [])])
def test_a_document_without_bills_is_no_data(document: Delivery) -> None:
    """A result and not an error, but one that is logged as a warning."""
    result = judged(finished(), document)
    assert result == outcome(None, NO_DATA)
    assert result.failure is None
    assert described(result)


def test_bills_before_the_start_date_alone_are_no_hole() -> None:
    """The utility does show bills; the user did not want them."""
    found = delivery(["2020-01-01"], start_date="2026-01-01")
    assert found.statements == 0
    assert judged(finished(context=None), found) == READY


def test_a_shape_that_cannot_be_read_is_said() -> None:
    """The login is ready, for the stream sustainability has the document, and the row says what is missing."""
    found = delivered(b'{"bills": [{}]}')
    result = judged(finished(context=None), found)
    assert is_incomplete(result, found, had_rows=False)
    assert (result.status, result.reason) == (Status.READY, None)
    assert result.message == ("The document has an unknown shape (bills): only the stream sustainability can show it.")


@pytest.mark.parametrize(("promised", "partial"), [(None, False), (0, False), (1, False), (2, False), (3, True)])
def test_fewer_accounts_than_promised_are_partial(promised: int | None, partial: bool) -> None:  # noqa: FBT001 - a case
    """The provider has to act; the next sync asks again, so nothing has failed."""
    result = judged(finished(context=with_accounts(promised)), delivery(["2026-11-01"], ["2026-11-02"]))
    if partial:
        assert (result.status, result.reason, result.actor) == (Status.READY, "PARTIAL_ACCOUNTS", Actor.PROVIDER)
        assert result.message == "The provider delivered 2 of 3 accounts; the next sync asks again."
        assert result.failure is None
    else:
        assert result == READY


def test_a_missing_account_is_not_hidden_by_a_concern() -> None:
    """Rows of a replaced table are at stake, so it is the reason; what a person must do and what is overdue is said."""
    concern = Outcome(Status.READY, Actor.USER, None, "CONNECTION_LOCKED", "Unlock it.")
    result = judged(finished(concern, with_accounts(3)), delivery(every(30, 6, age=60)))
    assert (result.reason, result.actor) == ("PARTIAL_ACCOUNTS", Actor.USER)
    partial = "The provider delivered 1 of 3 accounts; the next sync asks again."
    assert result.message.startswith(f"Unlock it. {partial} New bills are overdue for 1 of 1 accounts")


def test_a_concern_stays_the_reason_of_a_whole_delivery() -> None:
    """Everything came, and the row says what stands in the way of newer data."""
    concern = Outcome(Status.READY, Actor.USER, None, "CONNECTION_LOCKED", "Unlock it.")
    assert judged(finished(concern, with_accounts(1)), delivery(["2026-11-01"])) == concern


def test_a_failure_is_not_judged_by_its_document() -> None:
    """A login that failed or delivered nothing keeps its outcome."""
    failed = outcome("CONNECTION_FAILED", BROKEN)
    assert judged(finished(failed), None) == failed
    assert judged(finished(failed), delivery(["2026-11-01"])) == failed
    assert judged(finished(), None) == READY


def test_a_row_has_everything_that_is_known() -> None:
    """The context's source goes before the configured one; the document's name before the context's."""
    found = delivery(["2026-11-01"], source_name="Springfield Power", source_country="US")
    assert row_of(finished(), READY, found, OBSERVED) == {
        "connection_key": "hq",
        "observed_at": OBSERVED,
        "connection_id": "c-1",
        "source_id": "source-of-the-context",
        "source_name": "Springfield Power",
        "source_country": "US",
        "status": "ready",
        "actor": "nobody",
        "accounts_expected": 2,
        "accounts_delivered": 1,
        "statements_delivered": 1,
        "latest_billing_date": "2026-11-01",
        "waited_seconds": 12.346,
    }


def test_a_row_leaves_out_what_is_unknown() -> None:
    """Unknown is never zero: a login that failed has no counts, and its source is the configured one."""
    failed = outcome("CONNECTION_FAILED", BROKEN, "request 7")
    row = row_of(Finished(LOGIN, failed, None, None, 0.0), failed, None, OBSERVED)
    assert row == {
        "connection_key": "hq",
        "observed_at": OBSERVED,
        "source_id": "source-of-the-login",
        "status": "failed",
        "reason": "CONNECTION_FAILED",
        "actor": "utility",
        "message": BROKEN.advice,
        "waited_seconds": 0.0,
    }


def test_a_row_of_an_empty_document_counts_zero() -> None:
    """What was counted is told, also when it is nothing."""
    row = row_of(finished(context=with_accounts(0)), outcome(None, NO_DATA), delivery(), OBSERVED)
    assert (row["accounts_expected"], row["accounts_delivered"], row["statements_delivered"]) == (0, 0, 0)


def test_a_row_s_source_name_may_come_from_the_context() -> None:
    """Without a document the provider's context still knows the utility's name."""
    failed = outcome("CONNECTION_FAILED", BROKEN)
    assert row_of(finished(failed), failed, None, OBSERVED)["source_name"] == "Springfield"
    assert failed.failure is FailureType.config_error
