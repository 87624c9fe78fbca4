"""The lines of a bill, its charges and payments, as rows. Pure.

    {"charge_name": "Tax", "amount": 1.5}  ─►  … "charge_key": "…", "currency_code": "USD", "amount": 1.5, …
     └── a line as sent: its canonical text is copied ──────────────────────────────────────└─────────────

Lines are most of what a sync sends. Those that hold nothing but values of their columns are copied as the text that
was made to compare them; any other goes through `Columns.split`. Both ways give the same row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from source_linkless import columns
from source_linkless.charge_texts import read_charge_text
from source_linkless.columns import Columns
from source_linkless.content import Lines, line_keys
from source_linkless.rows import Members, known, members, with_other
from source_linkless.statements import Statement

Row = Mapping[str, Any]

_TEXTS_REMEMBERED = 8_192


@dataclass(frozen=True, slots=True)
class LineRows:
    """Makes a row of each object in the array `array` of a bill.

    `columns` are its columns; `usual` those of a line that is copied: all but a currency of its own, in place of which
    the row has that of its bill. `derived` reads further columns out of a line.
    """

    array: str
    key_column: str
    columns: Columns
    usual: Columns
    derived: Callable[[Row], Members] = lambda _: b""

    def of(self, keys: Row, bill: Statement) -> list[Members]:
        """Return the rows of a bill; `keys` are columns of all."""
        content = bill.content()
        lines = content.lines.get(self.array)
        if lines is None or not lines.objects:
            return []
        code = content.fields.get("currency_code")
        currency = {"currency_code": code} if isinstance(code, str) else {}
        head = members(keys) + b',"%b":"' % self.key_column.encode()
        rests = self._copied(lines, currency) or [self._split(line, currency) for line in lines.objects]
        derived = map(self.derived, lines.objects)
        return [
            head + key + rest + more for key, rest, more in zip(line_keys(lines.texts), rests, derived, strict=True)
        ]

    def _copied(self, lines: Lines, currency: Row) -> list[Members]:
        """Return what follows the key in each row, as it was sent; nothing unless all lines are usual ones."""
        if not all(lines.texts) or not self.usual.hold(lines.objects):
            return []
        between = b'",' + (members(currency) + b"," if currency else b"")
        return [between + line for line in lines.texts]

    def _split(self, line: Row, currency: Row) -> Members:
        values, other = self.columns.split(line)
        rest = members(with_other({**currency, **values}, other))
        return b'",' + rest if rest else b'"'


def _quantity(charge: Row) -> Members:
    name = charge.get("charge_name")
    return _read_text(name) if isinstance(name, str) else b""


@lru_cache(maxsize=_TEXTS_REMEMBERED)
def _read_text(name: str) -> Members:
    """Return what the text of a charge says, as members that follow others. Most texts come again in every bill."""
    read = read_charge_text(name)
    said = members(known(quantity=read.quantity, unit=read.unit, unit_price=read.unit_price))
    return b"," + said if said else b""


CHARGES = LineRows("charges", "charge_key", columns.CHARGE, columns.CHARGE.without("currency_code"), _quantity)
PAYMENTS = LineRows("payments", "payment_key", columns.PAYMENT, columns.PAYMENT.without("currency_code"))
