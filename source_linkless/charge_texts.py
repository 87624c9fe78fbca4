"""What the text of a charge says in numbers: quantity, unit and price of one unit. Pure.

The provider prints them in one string with no promised form (API notes, section 4.2), so this reads only what a
person would read the same way without knowing the bill. A number that may be a tier ("First 500 kWh"), a range, a
tariff ("Rate 5 kW service"), a date or a reference is no quantity; what can be read in two ways is not read.

    "Energy 1,234 kWh @ $0.12" ─► its form "Energy 2,222 kWh @ $0.22" ─► where quantity and price stand ─► 1234, 0.12

Where they stand depends on the form of a text alone. Bills have few forms and many numbers, so forms are remembered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import TypeVar

from source_linkless.charge_forms import Measure, Quantity, base_of, conversion, places_in

P = TypeVar("P")

_LONGEST_TEXT = 500

_WITHIN_NUMBER = re.compile(r"(?<=[0-9])[\u00a0\u2009\u202f](?=[0-9]{3}(?![0-9]))")
_DIGIT = re.compile("[0-9]")
_RUN = re.compile(r"(?<![A-Za-z^])[0-9]+")  # not the 3 of m3
_TELLING = {"0", "1", "000", "100", "1000"}  # a number that begins with 0; a price for a hundred or a thousand


@dataclass(frozen=True, slots=True)
class ChargeText:
    """What a text says plainly; None for what it does not. `unit_price` is never in cents."""

    quantity: float | None = None
    unit: str | None = None
    unit_price: float | None = None


def read_charge_text(text: str) -> ChargeText:
    """Read quantity, unit and unit price from the text of a charge, as printed on the bill."""
    cut = text[: _LONGEST_TEXT + 1]
    plain = " ".join((cut if cut.isascii() else _WITHIN_NUMBER.sub("'", cut)).split())
    if len(plain) > _LONGEST_TEXT or not _DIGIT.search(plain):
        return ChargeText()
    places = places_in(_RUN.sub(_likened, plain))
    return _combined(plain, _the_quantity(plain, places.quantities), _the_price(plain, places.prices))


def _likened(run: re.Match[str]) -> str:
    """Write other digits that say the same about the form of a text, so that most texts have one that is known."""
    return _like(run[0])


@lru_cache
def _like(digits: str) -> str:
    return digits if digits in _TELLING else ("0" if digits[0] == "0" else "2") + "2" * (len(digits) - 1)


def _combined(text: str, quantity: Quantity | None, only_price: Measure | None) -> ChargeText:
    price = (quantity and quantity.price) or only_price
    if quantity is None:
        return ChargeText(None, price.unit, _json(price.value(text))) if price else ChargeText()
    unit, amount = quantity.measure.unit, _json(quantity.measure.value(text))
    if price is None:
        return ChargeText(amount, unit)
    same = base_of(price.unit) == base_of(unit)
    return ChargeText(amount, unit, _json(price.value(text, conversion(unit, price.unit)))) if same else ChargeText()


def _the_quantity(text: str, places: Sequence[Quantity]) -> Quantity | None:
    """Choose the only quantity; or the only priced one, if the others are of another kind ("45 CCF = 46 therms")."""
    found = _distinct(places, lambda one: (one.measure.said(text), one.price and one.price.said(text)))
    priced = [quantity for quantity in found if quantity.price]
    if len(found) > 1 and len(priced) == 1:
        kind = base_of(priced[0].measure.unit)
        found = [one for one in found if one.price or base_of(one.measure.unit) == kind]
    return found[0] if len(found) == 1 else None


def _the_price(text: str, places: Sequence[Measure]) -> Measure | None:
    found = _distinct(places, lambda price: price.said(text))
    return found[0] if len(found) == 1 else None


def _distinct(places: Sequence[P], said: Callable[[P], object]) -> Sequence[P]:
    return list({said(place): place for place in places}.values()) if len(places) > 1 else places


def _json(value: Decimal) -> float:
    whole = int(value)
    return whole if whole == value else float(value)
