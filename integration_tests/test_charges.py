"""The rows of `charges` as a process writes them: quantity, unit and price of lines as real bills print them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from linkless_simulator import Simulator
from testing.connector import Connector, login_at
from testing.generated_parts import ROOT

SAMPLES = ROOT / "unit_tests/bills/charge_lines.jsonl"
LINES = [json.loads(line) for line in SAMPLES.read_text(encoding="utf-8").splitlines()]
LOGIN = "instant+charges"
READ = ("quantity", "unit", "unit_price")


def delivered(simulator: Simulator, connector: Connector, bills: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the rows of charges of an account that has a bill for each list of charges."""
    document = simulator.backend.document(LOGIN)
    account = document["accounts"][0]
    bill = account["statements"][0]
    account["statements"] = [
        {**bill, "statement_id": f"bill-{number}", "charges": lines} for number, lines in enumerate(bills)
    ]
    document["accounts"] = [account]
    simulator.backend.deliver(LOGIN, document)
    run = connector.read(login_at(simulator, LOGIN))
    assert run.code == 0
    return run.rows("charges")


def test_no_value_of_a_line_is_wrong_in_its_row(simulator: Simulator, tmp_path: Path) -> None:
    """Each line of the samples comes with the right values or without; a line of any shape comes too."""
    bills = [[{"charge_name": line["charge_name"], "amount": line["amount"]}] for line in LINES]
    odd: list[dict[str, Any]] = [
        {"charge_name": "Energy 500 kWh @ $0.10", "amount": 50, "meter": "M1"},
        {"charge_name": 5},
        {"amount": None},
    ]
    rows = delivered(simulator, Connector(tmp_path), [*bills, odd])
    found = {row["statement_key"]: row for row in rows}
    for number, line in enumerate(LINES):
        row = found[f"bill-{number}"]
        wrong = {name: row[name] for name in READ if row.get(name) is not None and row[name] != line[name]}
        assert wrong == {}, line["id"]
    of_odd = [row for row in rows if row["statement_key"] == f"bill-{len(LINES)}"]
    assert len(of_odd) == len(odd)
    assert [tuple(row[name] for name in READ) for row in of_odd if "unit" in row] == [(500, "kWh", 0.1)]


def test_the_lines_of_one_bill_settle_the_notation_of_each_other(simulator: Simulator, tmp_path: Path) -> None:
    """A line with a decimal comma tells that 2.847 is a whole number beside it; on another bill it stays open."""
    open_line = {"charge_name": "Verbrauch 2.847 kWh", "amount": 900}
    settled = {"charge_name": "Arbeitspreis 500 kWh x 0,32 EUR/kWh", "amount": 160}
    rows = delivered(simulator, Connector(tmp_path), [[open_line, settled], [open_line]])
    quantities = {
        row["statement_key"]: row.get("quantity") for row in rows if row["charge_name"] == open_line["charge_name"]
    }
    assert quantities == {"bill-0": 2847, "bill-1": None}
