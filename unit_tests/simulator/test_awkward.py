"""The awkward bills are awkward in the way their story says, and nothing of them lies in the future."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import Any

import pytest

from linkless_simulator.awkward import KINDS
from linkless_simulator.bills import Sizes
from linkless_simulator.shapes import SHAPES
from linkless_simulator.sources import FIELDS_ONLY, ORDINARY

TODAY = date(2026, 11, 28)

Bill = dict[str, Any]


def bills_of(shape: str, version: int = 1) -> list[Bill]:
    """Return the bills of the first account of a document."""
    document = SHAPES[shape].build("awkward", ORDINARY, Sizes(1, 8), TODAY, version)
    bills: list[Bill] = document["accounts"][0]["statements"]
    return bills


def total(bill: Bill) -> float:
    """Return the sum of a bill's lines."""
    return float(round(sum(line["amount"] for line in bill["charges"]), 2))


@pytest.mark.parametrize("kind", [*KINDS, "catching_up"])
def test_no_bill_is_dated_in_the_future(kind: str) -> None:
    """Reissued bills come days after the first, and before the newest."""
    assert max(bill["billing_date"] for bill in bills_of(kind)) <= TODAY.isoformat()


@pytest.mark.parametrize("kind", KINDS)
def test_every_bill_has_an_identifier_of_its_own(kind: str) -> None:
    """A bill for the same period is another bill."""
    identifiers = [bill["statement_id"] for bill in bills_of(kind)]
    assert len(set(identifiers)) == len(identifiers)


def test_a_gap_is_a_month_without_a_bill() -> None:
    """The bill before the gap ends long before the next one begins."""
    bills = bills_of("gap")
    apart = [
        date.fromisoformat(later["billing_period_start_date"]) - date.fromisoformat(earlier["billing_period_end_date"])
        for earlier, later in pairwise(bills)
    ]
    assert [days.days for days in apart if days.days] == [max(days.days for days in apart)]
    assert max(days.days for days in apart) >= 28


def test_an_overlap_is_ten_days_on_two_bills() -> None:
    """The stated length agrees with the dates."""
    bill = bills_of("overlap")[-3]
    start, end = (date.fromisoformat(bill[f"billing_period_{name}_date"]) for name in ("start", "end"))
    assert (end - start).days == bill["billing_period_duration_days"]
    assert start < date.fromisoformat(bills_of("overlap")[-4]["billing_period_end_date"])


def test_a_reversal_takes_back_what_the_wrong_bill_charged() -> None:
    """Three bills have one period: the wrong one, its reversal, the right one."""
    wrong, reversal, again = bills_of("rebilled")[-5:-2]
    assert total(reversal) == -total(wrong) == -156.0
    assert total(again) == 234.0
    assert len({bill["billing_period_start_date"] for bill in (wrong, reversal, again)}) == 1


def test_two_services_have_lines_of_their_own_meters() -> None:
    """Nothing but what encloses a line tells gas from water."""
    bill = bills_of("two_services")[-1]
    assert [service["service"] for service in bill["services"]] == ["Gas", "Water"]
    assert bill["charges"] == []


def test_an_instalment_and_a_credit_are_no_sum_of_lines() -> None:
    """What is due differs from what the bill charges."""
    assert {bill["total_due_amount"] for bill in bills_of("budget")} == {90.0}
    assert {bill["total_due_amount"] for bill in bills_of("credit")} == {0.0}
    assert all(total(bill) > 0 for kind in ("budget", "credit") for bill in bills_of(kind))


def test_an_inclusive_end_is_the_last_day() -> None:
    """The stated length counts the printed end."""
    for bill in bills_of("inclusive"):
        start, end = (date.fromisoformat(bill[f"billing_period_{name}_date"]) for name in ("start", "end"))
        assert (end - start).days + 1 == bill["billing_period_duration_days"]


def test_an_estimate_is_followed_by_the_actual_bill_of_its_period() -> None:
    """Both are there, as in accounts whose provider keeps old bills."""
    estimate, actual = bills_of("estimated")[-4:-2]
    assert estimate["billing_period_start_date"] == actual["billing_period_start_date"]
    assert estimate["billing_date"] < actual["billing_date"]
    assert [line["charge_name"].split()[0] for bill in (estimate, actual) for line in bill["charges"]] == [
        "Estimated",
        "Actual",
    ]


def test_the_story_of_all_kinds_has_one_account_for_each() -> None:
    """The demo shows them side by side."""
    document = SHAPES["awkward"].build("campus", FIELDS_ONLY, Sizes(1, 2), TODAY, 1)
    assert len(document["accounts"]) == len(KINDS)


def test_the_first_delivery_lacks_the_bills_of_the_last_two_weeks() -> None:
    """The second has every bill that is out, and nothing dated later than today."""
    first, second = bills_of("catching_up"), bills_of("catching_up", 2)
    assert second == bills_of("bills")
    assert first == [bill for bill in second if bill["billing_date"] <= "2026-11-14"]
    assert 0 < len(second) - len(first) < 2
