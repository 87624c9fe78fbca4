"""What a document holds that its rows cannot show: counted while it is read, told in `connections.message`. Pure.

The sentences name documented fields, the kinds of values, and accounts and bills. They never repeat a value.
"""

import re
from collections import Counter
from dataclasses import dataclass, field

_SHOWN = 5  # fields, or bills, that one sentence names
_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
_KINDS = {str: "text", bool: "true or false", int: "number", float: "number", dict: "object", list: "array"}


def shown(name: str) -> str:
    """Return the name of a field as it may stand in a message: an unusual one could be a value."""
    return name if _FIELD_NAME.fullmatch(name) else "a field with an unusual name"


@dataclass(slots=True)
class Findings:
    """What was found in the accounts of a document that were read.

    `misfits` counts values by field and JSON type; `lost` are bills that could not be read, as (account number, name
    of the bill, problem); `repaired` counts texts with characters that no destination can hold. `with_lines` counts
    bills that have charges, `without_lines` those that have amounts but no charge; `amounts_in` names the fields of the
    latter whose arrays hold objects with an amount.
    """

    misfits: Counter[tuple[str, str]] = field(default_factory=Counter)
    lost: list[tuple[str, str, str]] = field(default_factory=list, repr=False)
    repaired: int = 0
    with_lines: int = 0
    without_lines: int = 0
    amounts_in: set[str] = field(default_factory=set)

    def misfit(self, where: str, value: object) -> None:
        """Count a value that the column of its field cannot hold."""
        self.misfits[where, _KINDS.get(type(value), "null")] += 1

    def sentences(self, *, had_lines: bool = False) -> list[str]:
        """Say what was found, one sentence for each kind; `had_lines`: earlier syncs of the login had charges."""
        told = []
        if self.lost:
            places = [f"account {number or 'without a number'}, bill {name}: {why}" for number, name, why in self.lost]
            were = "was" if len(places) == 1 else "were"
            told.append(f"{_count(len(places), 'bill')} could not be read and {were} left out ({_listed(places)}).")
        if self.misfits:
            fields = [f"{where} ({kind}, {_count(number, 'value')})" for (where, kind), number in self.misfits.items()]
            told.append(f"Some values do not fit their columns, which stay empty: {_listed(sorted(fields))}.")
        if self.amounts_in or (self.without_lines and (self.with_lines or had_lines)):
            told.append(
                f"{_count(self.without_lines, 'bill')} with amounts had no line that is known, so 'charges' has no row "
                f"of them: look into {_listed(sorted(self.amounts_in) or ['statements[].charges'])}."
            )
        if self.repaired:
            where = _count(self.repaired, "place")
            told.append(f"Characters that no destination can hold were replaced by U+FFFD in {where}.")
        return told


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def _listed(items: list[str]) -> str:
    return "; ".join(items[:_SHOWN]) + (f"; and {len(items) - _SHOWN:,} more" if len(items) > _SHOWN else "")
