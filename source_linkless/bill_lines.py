"""The lines of a bill, its charges and payments, as rows. Pure.

    {"charge_name": "Tax", "amount": 1.5}  ─►  … "charge_key": "…", "currency_code": "USD", "amount": 1.5, …
     └── a line as sent, of a known shape: its text is copied ──────────────────────────────└─────────────

Lines are most of what a sync sends. One that holds nothing but values of its columns is copied as the text that was
made to compare it; any other goes through `Columns.split`, and both give the same row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from source_linkless import columns
from source_linkless.charge_texts import read_charge_text
from source_linkless.columns import Columns
from source_linkless.content import BillContent, line_keys
from source_linkless.documents import Statement
from source_linkless.rows import Members, members

Row = Mapping[str, Any]

_TEXTS_REMEMBERED = 8_192


@dataclass(frozen=True, slots=True)
class LineRows:
    """Makes a row of each object in the array `array` of a bill; `derived` reads further columns out of a line."""

    array: str
    key_column: str
    columns: Columns
    derived: Callable[[Mapping[str, Any]], Members] | None = None

    def of(self, keys: Mapping[str, Any], bill: Statement) -> list[Members]:
        """Return the rows of a bill; `keys` are columns of all. A line is in the currency of its bill or its own."""
        content = bill.content()
        lines, texts = _objects(content, self.array)
        currency, _ = columns.STATEMENT.split({"currency_code": content.fields.get("currency_code")})
        rests = self._copied(lines, texts, currency) or [self._rest(line, currency) for line in lines]
        head = members(keys) + b',"%b":"' % self.key_column.encode()
        rows = [head + key + rest for key, rest in zip(line_keys(texts), rests, strict=True)]
        if self.derived is None:
            return rows
        return [row + self.derived(line) for row, line in zip(rows, lines, strict=True)]

    def _copied(self, lines: Sequence[Mapping[str, Any]], texts: Sequence[bytes], currency: Row) -> list[bytes] | None:
        """Return what follows the key in each row, as sent; None when a line holds more, or other, than its columns."""
        if not all(lines) or not self.columns.hold(lines) or any("currency_code" in line for line in lines):
            return None
        between = b'",' + (members(currency) + b"," if currency else b"")
        return [between + text[1:-1] for text in texts]

    def _rest(self, line: Mapping[str, Any], currency: Row) -> bytes:
        values, other = self.columns.split(line)
        rest = members({**currency, **values} | ({"other_fields": other} if other else {}))
        return b'",' + rest if rest else b'"'


def _objects(content: BillContent, array: str) -> tuple[Sequence[Row], Sequence[bytes]]:
    """Return the objects in an array of lines with their canonical texts; its other items are no lines."""
    texts = content.lines.get(array, ())
    items = content.fields[array] if texts else ()
    if {*map(type, items)} <= {dict}:
        return items, texts
    pairs = [(item, text) for item, text in zip(items, texts, strict=True) if isinstance(item, dict)]
    return [item for item, _ in pairs], [text for _, text in pairs]


def _quantity(charge: Mapping[str, Any]) -> Members:
    text = charge.get("charge_name")
    return _read_text(text) if isinstance(text, str) else b""


@lru_cache(maxsize=_TEXTS_REMEMBERED)
def _read_text(text: str) -> Members:
    """Return what the text of a charge says, as members that follow others. Most texts come again in every bill."""
    read = read_charge_text(text)
    found = {"quantity": read.quantity, "unit": read.unit, "unit_price": read.unit_price}
    said = members({name: value for name, value in found.items() if value is not None})
    return b"," + said if said else b""


CHARGES = LineRows("charges", "charge_key", columns.CHARGE, _quantity)
PAYMENTS = LineRows("payments", "payment_key", columns.PAYMENT)
