"""Bills as real utilities send them when something is unusual: gaps, reversals, budget plans and the like.

Each function changes the ordinary bills of one account, oldest first, and returns them. No bill is dated later than
the newest ordinary one. The names of objects that enclose lines (`services`, `service`, `meter`) are invented: the
provider publishes no sample with more than its own fields.
"""

import copy
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

from linkless_simulator.bills import identifier

Bill = dict[str, Any]

_BUDGET = 90.0
_CREDIT = -300.0


def gap(bills: list[Bill]) -> list[Bill]:
    """Leave out the fourth newest bill."""
    return [bill for place, bill in enumerate(bills) if place != len(bills) - 4]


def overlap(bills: list[Bill]) -> list[Bill]:
    """Let the third newest bill begin ten days before the end of the one before."""
    bill = bills[-3]
    start = date.fromisoformat(bill["billing_period_start_date"]) - timedelta(days=10)
    bill["billing_period_start_date"] = start.isoformat()
    bill["billing_period_duration_days"] += 10
    return bills


def rebilled(bills: list[Bill]) -> list[Bill]:
    """Take the third newest bill back, and bill its period again with half as much on top."""
    wrong = bills[-3]
    reversal, again = _reissued(wrong, "reversal", 10), _reissued(wrong, "again", 11)
    _charge(wrong, _energy(1300, "Energy charge"))
    _charge(reversal, _line(wrong["charges"][0]["charge_name"], -wrong["charges"][0]["amount"]))
    _charge(again, _energy(1950, "Energy charge"))
    return [*bills[:-2], reversal, again, *bills[-2:]]


def two_services(bills: list[Bill]) -> list[Bill]:
    """Bill gas and water together, each with its own meter, both in CCF."""
    for place, bill in enumerate(bills):
        gas, water = 20 + place % 7, 9 + place % 5
        bill["services"] = [
            {"service": "Gas", "meter": "G-1", "charges": [_line(f"Usage {gas} CCF @ $1.10/CCF", gas * 1.10)]},
            {"service": "Water", "meter": "W-1", "charges": [_line(f"Usage {water} CCF @ $3.85/CCF", water * 3.85)]},
        ]
        bill["charges"] = []
        bill["total_due_amount"] = round(gas * 1.10 + water * 3.85, 2)
    return bills


def components(bills: list[Bill]) -> list[Bill]:
    """State one quantity as supply, delivery and tax, beside a demand."""
    for place, bill in enumerate(bills):
        kwh = 700 + 39 * (place % 9)
        _charge(
            bill,
            _line(f"Electricity supply {kwh} kWh @ $0.0800/kWh", kwh * 0.08),
            _line(f"Delivery {kwh} kWh @ $0.0300/kWh", kwh * 0.03),
            _line(f"Energy tax {kwh} kWh @ $0.0100/kWh", kwh * 0.01),
            _line("Demand 12 kW @ $9.00/kW", 108.0),
        )
    return bills


def budget(bills: list[Bill]) -> list[Bill]:
    """Ask for the same instalment every month, whatever the lines say."""
    for bill in bills:
        bill |= {"total_due_amount": _BUDGET, "previous_total_due_amount": _BUDGET, "balance_forward": 0.0}
    return bills


def credit(bills: list[Bill]) -> list[Bill]:
    """Carry a credit balance over, so that nothing is due."""
    for bill in bills:
        bill |= {"total_due_amount": 0.0, "previous_total_due_amount": 0.0, "balance_forward": _CREDIT}
    return bills


def inclusive(bills: list[Bill]) -> list[Bill]:
    """Print the last day of the period as its end, not the day after."""
    for bill in bills:
        end = date.fromisoformat(bill["billing_period_end_date"]) - timedelta(days=1)
        bill["billing_period_end_date"] = end.isoformat()
    return bills


def estimated(bills: list[Bill]) -> list[Bill]:
    """Bill the period of the third newest bill first by an estimate, then by the reading of the meter."""
    estimate, actual = bills[-3], _reissued(bills[-3], "actual", 12)
    _charge(estimate, _energy(900, "Estimated energy"))
    _charge(actual, _energy(1040, "Actual energy"))
    return [*bills[:-2], actual, *bills[-2:]]


KINDS: Mapping[str, Callable[[list[Bill]], list[Bill]]] = {
    "gap": gap,
    "overlap": overlap,
    "rebilled": rebilled,
    "two_services": two_services,
    "components": components,
    "budget": budget,
    "credit": credit,
    "inclusive": inclusive,
    "estimated": estimated,
}


def _line(text: str, amount: float) -> dict[str, Any]:
    return {"charge_name": text, "amount": round(amount, 2)}


def _energy(kwh: int, name: str) -> dict[str, Any]:
    return _line(f"{name} {kwh:,} kWh @ $0.1200/kWh", kwh * 0.12)


def _charge(bill: Bill, *lines: dict[str, Any]) -> None:
    """Put these lines in place of the bill's own, and their sum as the total due."""
    bill |= {"charges": list(lines), "total_due_amount": round(sum(line["amount"] for line in lines), 2)}


def _reissued(bill: Bill, kind: str, days: int) -> Bill:
    """Return another bill for the same period, issued `days` later."""
    again = copy.deepcopy(bill)
    again["statement_id"] = identifier(kind, bill["statement_id"])
    for name in ("billing_date", "payment_due_date"):
        again[name] = (date.fromisoformat(bill[name]) + timedelta(days=days)).isoformat()
    again |= {"auto_pay_date": None, "payments": [], "previous_total_due_amount": 0.0, "balance_forward": 0.0}
    return again
