"""One picture: what was used per month and account, beside what it cost."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")  # a file, no window

import matplotlib.pyplot as plt

from demo.report import PER_MONTH, ask

_SHOWN = 15
_NAMES = {"kWh": "energy", "m³": "water"}

Months = dict[str, float]
Accounts = dict[str, Months]
"""Values by account and month."""


@dataclass
class _Panels:
    """Usage and cost of the accounts that are billed in one currency, in one unit."""

    currency: str | None
    unit: str
    usage: Accounts = field(default_factory=lambda: defaultdict(dict))
    cost: Accounts = field(default_factory=lambda: defaultdict(dict))


def draw(database: Path, picture: Path) -> bool:
    """Draw usage beside cost, one row of panels per currency and unit; False when there is nothing to draw."""
    rows = _panels(database)
    if not rows:
        return False
    figure, axes = plt.subplots(len(rows), 2, figsize=(16, 4.2 * len(rows)), squeeze=False, layout="constrained")
    for (left, right), panels in zip(axes, rows, strict=True):
        name, currency = _NAMES[panels.unit], panels.currency or "unknown currency"
        shown = _most_expensive(panels.cost)
        _stack(
            left, _merged(panels.usage, shown), f"{name.capitalize()} used per month, billed in {currency}", panels.unit
        )
        _stack(right, _merged(panels.cost, shown), f"Cost of {name} per month in {currency}", currency)
        right.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize="small", frameon=False)
    figure.savefig(picture, dpi=120)
    plt.close(figure)
    return True


def _panels(database: Path) -> list[_Panels]:
    found: dict[tuple[str | None, str], _Panels] = {}
    for currency, unit, account, month, quantity, cost in ask(database, PER_MONTH).rows:
        panels = found.setdefault((currency, unit), _Panels(currency, unit))
        panels.usage[account][month] = float(quantity or 0)
        panels.cost[account][month] = float(cost or 0)
    return list(found.values())


def _most_expensive(accounts: Accounts) -> list[str]:
    return sorted(accounts, key=lambda account: -sum(accounts[account].values()))[:_SHOWN]


def _merged(accounts: Accounts, shown: list[str]) -> Accounts:
    """Return the accounts of `shown`, and all others as one."""
    result: Accounts = {account: accounts[account] for account in shown}
    if others := [account for account in accounts if account not in shown]:
        months = {month for account in others for month in accounts[account]}
        label = f"{len(others)} other accounts"
        result[label] = {month: sum(accounts[account].get(month, 0.0) for account in others) for month in months}
    return result


def _stack(axes: plt.Axes, accounts: Accounts, title: str, unit: str) -> None:
    """Draw the months as bars, in which the accounts stand one on another."""
    months = sorted({month for values in accounts.values() for month in values})
    colours = plt.get_cmap("tab20").colors
    bottom = [0.0] * len(months)
    for number, (account, values) in enumerate(accounts.items()):
        heights = [values.get(month, 0.0) for month in months]
        axes.bar(months, heights, bottom=bottom, label=account, color=colours[number % len(colours)], width=0.85)
        bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
    axes.set_xticks(months[::3])
    axes.tick_params(axis="x", rotation=45)
    axes.set_title(title)
    axes.set_ylabel(unit)
    axes.spines[["top", "right"]].set_visible(False)
