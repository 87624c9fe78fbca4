"""One picture: what was billed per month and account."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")  # a file, no window

import matplotlib.pyplot as plt

from demo.report import COST_PER_MONTH, ask


def draw(database: Path, picture: Path) -> bool:
    """Draw the billed cost per month and account, one panel per currency; False when there is no bill."""
    costs = _costs(database)
    if not costs:
        return False
    figure, panels = plt.subplots(len(costs), figsize=(11, 4.5 * len(costs)), squeeze=False, layout="constrained")
    for axes, (currency, accounts) in zip(panels[:, 0], costs.items(), strict=True):
        _stack(axes, accounts)
        axes.set_title("Billed cost per month and account")
        axes.set_ylabel(currency or "currency unknown")
    figure.savefig(picture, dpi=120)
    plt.close(figure)
    return True


_SHOWN = 15

Accounts = dict[str, dict[str, float]]
"""Cost by account and month."""


def _costs(database: Path) -> dict[str | None, Accounts]:
    """Return the accounts of each currency."""
    costs: dict[str | None, Accounts] = {}
    for currency, account, month, cost in ask(database, COST_PER_MONTH).rows:
        costs.setdefault(currency, defaultdict(dict))[account][month] = float(cost)
    most_expensive = sorted(costs.items(), key=lambda item: -_total(item[1]))
    return {currency: _merged(accounts) for currency, accounts in most_expensive}


def _total(accounts: Accounts) -> float:
    return sum(sum(months.values()) for months in accounts.values())


def _merged(accounts: Accounts) -> Accounts:
    """Return the accounts that cost most, and all others as one."""
    ordered = sorted(accounts, key=lambda account: -sum(accounts[account].values()))
    shown: Accounts = {account: accounts[account] for account in ordered[:_SHOWN]}
    if others := ordered[_SHOWN:]:
        months = {month for account in others for month in accounts[account]}
        label = f"{len(others)} other accounts"
        shown[label] = {month: sum(accounts[account].get(month, 0.0) for account in others) for month in months}
    return shown


def _stack(axes: plt.Axes, accounts: Accounts) -> None:
    """Draw the months as bars, in which the accounts stand one on another."""
    months = sorted({month for costs in accounts.values() for month in costs})
    colours = plt.get_cmap("tab20").colors
    bottom = [0.0] * len(months)
    for number, (account, costs) in enumerate(accounts.items()):
        heights = [costs.get(month, 0.0) for month in months]
        axes.bar(months, heights, bottom=bottom, label=account, color=colours[number % len(colours)], width=0.85)
        bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
    axes.set_xticks(months[::3])
    axes.tick_params(axis="x", rotation=45)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize="small", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
