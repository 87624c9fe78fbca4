"""The lines of a bill, its charges and payments, as rows. Pure.

    {"charge_name": "Tax", "amount": 1.5}  ─►  … "charge_key": "…", "currency_code": "USD", "amount": 1.5, …
     └── a line as sent: its canonical text is copied ──────────────────────────────────────└─────────────

Lines are most of what a sync sends. Documented ones are copied as the text that was made to compare them; any other
goes through `Columns.split`. Both ways give the same row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from typing import Any

from source_linkless.bills import columns
from source_linkless.bills.bill_content import Lines
from source_linkless.bills.charge_texts import Reading, read_charges
from source_linkless.bills.columns import Columns
from source_linkless.bills.content import line_keys
from source_linkless.bills.rows import Members, known, members, with_other
from source_linkless.bills.statements import Statement

Row = Mapping[str, Any]
_NUMBER = (int, float)


@dataclass(frozen=True, slots=True)
class LineRows:
    """Makes a row of each object in the array `array` of a bill.

    `columns` are its columns; `of_bill` gives further ones that all lines of a bill share, `derived` reads some out of
    each line. Both come behind others.
    """

    array: str
    key_column: bytes
    columns: Columns
    of_bill: Callable[[Statement], Members]
    derived: Callable[[Lines], Iterable[Members]]

    def of(self, bill: Statement) -> Sequence[Members]:
        """Return the rows of a bill."""
        content = bill.content()
        lines = content.lines.get(self.array)
        if lines is None or not lines.texts:
            return ()
        head = b'%b%b,"%b":"' % (bill.keys, self.of_bill(bill), self.key_column)
        between, rests = self._rests(lines, content.get("currency_code"))
        keys, more, number = line_keys(lines.texts), self.derived(lines), len(lines.texts)
        columns = zip(repeat(head, number), keys, repeat(between, number), rests, more, strict=True)
        return [*map(b"".join, columns)]

    def _rests(self, lines: Lines, currency: object) -> tuple[bytes, Sequence[bytes]]:
        """Return what stands between key and rest of each row, and the rests: copied, if they are documented."""
        of_bill = currency if isinstance(currency, str) else None
        if lines.documented:
            return b'",' + _before_others(of_bill), lines.texts
        return b'"', [self._split(line, known(currency_code=of_bill)) for line in lines.objects()]

    def _split(self, line: Row, currency: Row) -> bytes:
        values, other = self.columns.split(line)
        rest = members(with_other({**currency, **values}, other))
        return b"," + rest if rest else b""


@lru_cache
def _before_others(currency: str | None) -> bytes:
    return b"" if currency is None else members({"currency_code": currency}) + b","


def _billing_date(bill: Statement) -> Members:
    return b"" if bill.billing_date is None else b',"billing_date":"%b"' % bill.billing_date.encode()


def _nothing(lines: Lines) -> Iterable[Members]:
    return repeat(b"", len(lines.texts))


def _quantities(charges: Lines) -> Iterable[Members]:
    if charges.documented:
        lines: list[tuple[Any, Any]] = [(charge.charge_name, charge.amount) for charge in charges.documented]
    else:
        lines = [(charge.get("charge_name"), charge.get("amount")) for charge in charges.objects()]
    known_lines = [
        (name if isinstance(name, str) else "", amount if isinstance(amount, _NUMBER) else None)
        for name, amount in lines
    ]
    return map(reading_members, read_charges(known_lines))


def reading_members(reading: Reading) -> Members:
    """Write what a text says as members that follow others: nothing, or some of `quantity`, `unit`, `unit_price`."""
    quantity, unit, price = reading
    if unit is None:
        return b""
    many = "" if quantity is None else f',"quantity":{quantity!r}'
    each = "" if price is None else f',"unit_price":{price!r}'
    return f'{many},"unit":"{unit}"{each}'.encode()


CHARGES = LineRows("charges", b"charge_key", columns.CHARGE, _billing_date, _quantities)
PAYMENTS = LineRows("payments", b"payment_key", columns.PAYMENT, lambda _: b"", _nothing)
