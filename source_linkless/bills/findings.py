"""What a document holds that its rows cannot show: counted while it is read, told in `connections.message`. Pure.

    read a bill ─► Findings ─► sentences: field and kind of a value, account and bill of what was lost

The sentences name fields that the provider documents, and never repeat a value.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

_SHOWN = 5
"""Fields, or bills, that one sentence names."""
_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
_KINDS = {str: "text", bool: "true or false", int: "number", float: "number", dict: "object", list: "array"}


def kind_of(value: object) -> str:
    """Name the JSON type of a value."""
    return _KINDS.get(type(value), "null")


def shown(name: str) -> str:
    """Return the name of a field as it may stand in a message: an unusual one could be a value."""
    return name if _FIELD_NAME.fullmatch(name) else "a field with an unusual name"


@dataclass(slots=True)
class Findings:
    """What was found in a document.

    `misfits` counts values by field and JSON type; `lost` are bills that could not be read, as (account number, name
    of the bill, problem); `repaired` counts texts with characters that no destination can hold.
    """

    misfits: Counter[tuple[str, str]] = field(default_factory=Counter)
    lost: list[tuple[str, str, str]] = field(default_factory=list, repr=False)
    repaired: int = 0

    def misfit(self, where: str, value: object) -> None:
        """Count a value that the column of its field cannot hold."""
        self.misfits[where, kind_of(value)] += 1

    def clear(self) -> None:
        """Forget everything: the document is read again from the start."""
        self.misfits.clear()
        self.lost.clear()
        self.repaired = 0

    def add(self, other: Findings) -> None:
        """Add what was found elsewhere in the document."""
        self.misfits.update(other.misfits)
        self.lost += other.lost
        self.repaired += other.repaired

    def sentences(self) -> list[str]:
        """Say what was found, one sentence for each kind of finding."""
        told = []
        if self.lost:
            places = [f"account {number or 'without a number'}, bill {name}: {why}" for number, name, why in self.lost]
            told.append(f"{_count(len(places), 'bill')} could not be read and was left out ({_listed(places)}).")
        if self.misfits:
            fields = [f"{where} ({kind}, {number:,} times)" for (where, kind), number in sorted(self.misfits.items())]
            told.append(f"Some values do not fit their columns and stand in other_fields: {_listed(fields)}.")
        if self.repaired:
            told.append(
                f"Characters that no destination can hold were replaced by U+FFFD in {_count(self.repaired, 'place')}."
            )
        return told


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def _listed(items: Iterable[str]) -> str:
    every = [*items]
    return "; ".join(every[:_SHOWN]) + (f"; and {len(every) - _SHOWN:,} more" if len(every) > _SHOWN else "")
