"""The documents look like bills, add up, and never change by themselves."""

from datetime import date
from itertools import pairwise
from typing import Any

import pytest

from linkless_simulator.bills import Sizes, document
from linkless_simulator.charges import SUPPLIES
from linkless_simulator.library import Library, Title
from linkless_simulator.sources import ORDINARY, SOURCES, WITH_PIN
from testing.simulator_talk import TODAY, Talk

LOGINS = [f"user_good+{n}" for n in range(12)]


def statements_of(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all statements of a document."""
    return [statement for account in result["accounts"] for statement in account["statements"]]


def cents(amount: float) -> int:
    """Return an amount in whole cents."""
    return round(amount * 100)


@pytest.mark.parametrize("login", LOGINS)
def test_charges_and_what_was_left_unpaid_add_up_to_the_bill(login: str) -> None:
    """total_due_amount is the sum of the charges and balance_forward."""
    for bill in statements_of(document(login, ORDINARY, Sizes(), TODAY)):
        charged = sum(cents(charge["amount"]) for charge in bill["charges"])
        assert cents(bill["total_due_amount"]) == charged + cents(bill["balance_forward"])


@pytest.mark.parametrize("login", LOGINS)
def test_every_bill_continues_the_one_before(login: str) -> None:
    """Periods touch, the previous total is the last bill's, and it was either paid or carried over."""
    for account in document(login, ORDINARY, Sizes(), TODAY)["accounts"]:
        bills = account["statements"]
        for before, bill in pairwise(bills):
            assert bill["billing_period_start_date"] == before["billing_period_end_date"]
            assert bill["previous_total_due_amount"] == before["total_due_amount"]
            paid = sum(payment["amount"] for payment in bill["payments"])
            assert cents(paid + bill["balance_forward"]) == cents(bill["previous_total_due_amount"])


def test_there_are_three_years_of_bills_up_to_now() -> None:
    """Every account has 36 bills; the newest is already billed, and the next one is not out yet."""
    for account in document("user_good", ORDINARY, Sizes(), TODAY)["accounts"]:
        bills = account["statements"]
        assert len(bills) == 36
        assert bills[-1]["billing_date"] <= TODAY.isoformat() < bills[-1]["next_billing_date"]


def test_a_period_lasts_the_difference_of_its_dates() -> None:
    """billing_period_duration_days does not count both ends."""
    for bill in statements_of(document("user_good", ORDINARY, Sizes(), TODAY)):
        start, end = (date.fromisoformat(bill[f"billing_period_{which}_date"]) for which in ("start", "end"))
        assert bill["billing_period_duration_days"] == (end - start).days


def test_what_the_provider_leaves_null_is_null() -> None:
    """Statement numbers always, automatic payment dates for customers who pay by hand."""
    bills = [bill for login in LOGINS for bill in statements_of(document(login, ORDINARY, Sizes(), TODAY))]
    assert {bill["statement_number"] for bill in bills} == {None}
    assert {bill["auto_pay_date"] is None for bill in bills} == {True, False}
    assert {len(bill["payments"]) for bill in bills} == {0, 1}


def test_logins_differ_in_accounts_and_supplies() -> None:
    """One to four accounts; electricity, water and gas have texts of their own."""
    documents = [document(login, ORDINARY, Sizes(), TODAY) for login in LOGINS]
    assert {len(result["accounts"]) for result in documents} == {1, 2, 3, 4}
    texts = " ".join(c["charge_name"] for d in documents for b in statements_of(d) for c in b["charges"])
    assert all(unit in texts for unit in ("kWh @ $", "kW @ ", "kVar @ ", "CCF @ $", "therms @ $", "¢/kWh"))
    assert set(ORDINARY.supplies) == set(SUPPLIES)


def test_gas_is_dear_in_winter() -> None:
    """Bills have seasons: January costs more than twice July."""
    account = document("user_good", WITH_PIN, Sizes(), TODAY)["accounts"][0]
    by_month = {bill["billing_period_end_date"][5:7]: bill["total_due_amount"] for bill in account["statements"]}
    assert by_month["01"] > 2 * by_month["07"]


def test_every_source_has_a_currency() -> None:
    """Documents of every source can be made."""
    currencies = {
        source.country: statements_of(document("user_good", source, Sizes(1, 1), TODAY))[0]["currency_code"]
        for source in SOURCES.values()
    }
    assert currencies == {"US": "USD", "CA": "CAD"}


def test_a_month_more_changes_no_other_bill() -> None:
    """A bill depends on its month only: a longer or later document holds the same ones."""
    short = statements_of(document("user_good+1", ORDINARY, Sizes(1, 6), TODAY))
    longer = statements_of(document("user_good+1", ORDINARY, Sizes(1, 9), date(2026, 12, 24)))
    assert longer[2:8] == short


def test_the_same_name_gives_the_same_bytes() -> None:
    """Two backends with the same day deliver the same document, byte for byte, under the same token."""
    one, two = Talk(), Talk()
    for talk in (one, two):
        talk.handshake("instant+other")
    tokens = [talk.handshake("instant+7").access_token for talk in (one, two)]
    bodies = [t.raw("/sustainability/get", {"access_token": k}).body for t, k in zip((one, two), tokens, strict=True)]
    assert tokens[0] == tokens[1]
    assert bodies[0] == bodies[1]


def test_sizes_are_kept() -> None:
    """Accounts, statements and charges are as many as asked for."""
    result = document("user_good", ORDINARY, Sizes(5, 2, 12), TODAY)
    assert [len(account["statements"]) for account in result["accounts"]] == [2] * 5
    assert {len(bill["charges"]) for bill in statements_of(result)} == {12}
    cut = document("user_good", ORDINARY, Sizes(1, 1, 2), TODAY)
    assert len(statements_of(cut)[0]["charges"]) == 2


def test_the_library_forgets_the_least_used_document() -> None:
    """Serialised documents are kept while there is room, and made again with the same bytes."""
    library = Library(TODAY, max_bytes=1)
    titles = [Title(login, ORDINARY, "bills", 1, Sizes(1, 1)) for login in ("a", "b")]
    first = library.body(titles[0])
    assert library.body(titles[0]) is first
    library.body(titles[1])
    again = library.body(titles[0])
    assert again is not first
    assert again == first
