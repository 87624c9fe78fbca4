"""What the text of a charge says in numbers: quantity, unit and price of one unit. Pure.

The provider prints them in one string with no promised form (API notes, section 4.2), so this reads only what a
person would read the same way without knowing the bill. A number that may be a tier ("First 500 kWh"), a range, a
tariff ("Rate 5 kW service"), a date or a reference is no quantity; what can be read in two ways is not read.

    "Energy 1,034 kWh @ $0.12"
      ├─► outline "Energy 2,022 kWh @ $0.22" ─► form "Energy 2,222 kWh @ $0.22" ─► where the numbers stand
      └────────────────────────────────────────────────────────────────────────────► 1034 kWh, 0.12

Where they stand depends on the form of a text alone, and that, but for few texts, on its outline. Bills have few forms
and many numbers, so what was found is remembered under both, and of most new texts only the numbers are read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypedDict, TypeVar

from source_linkless.charge_forms import Measure, Places, Quantity, base_of, places_in

P = TypeVar("P")

_LONGEST_TEXT = 500
_REMEMBERED = 2_048

_ALIKE = bytes.maketrans(b"123456789", b"222222222")
_DOUBTFUL = re.compile(r"[mt^]2|(?<![0-9,.])2(?:,?0)?00 ", re.IGNORECASE)  # m3? The price of a hundred, or a thousand?

_WITHIN_NUMBER = re.compile(r"(?<=[0-9])[\u00a0\u2009\u202f](?=[0-9]{3}(?![0-9]))")
_DIGIT = re.compile("[0-9]")
_RUN = re.compile(r"(?<![A-Za-z^])[0-9]+")  # not the 3 of m3
_TELLING = {"0", "1", "000", "100", "1000"}  # a number that begins with 0; a price for a hundred or a thousand


class ChargeText(TypedDict, total=False):
    """What a text says plainly, and nothing else. `unit_price` is never in cents."""

    quantity: float
    unit: str
    unit_price: float


Reader = Callable[[str], ChargeText]


def read_charge_text(text: str) -> ChargeText:
    """Read quantity, unit and unit price from the text of a charge, as printed on the bill."""
    if len(text) > _LONGEST_TEXT:
        return {}
    read = _reader_by_outline(text.encode("utf-8", "surrogatepass").translate(_ALIKE))
    if read is not None:
        return read(text)
    plain = _plain(text)
    return _reader_by_form(_form(plain))(plain)


@lru_cache(_REMEMBERED)
def _reader_by_outline(outline: bytes) -> Reader | None:
    """Return what reads each text of this outline; None if they may be of several forms, or have to be made plain."""
    text = outline.decode("utf-8", "surrogatepass")
    if not _DIGIT.search(text):
        return _silent  # and remember no form: there are as many as names
    return None if _DOUBTFUL.search(text) or _plain(text) != text else _reader_by_form(_form(text))


@lru_cache(_REMEMBERED)
def _reader_by_form(form: str) -> Reader:
    places = places_in(form)
    if len(places.quantities) <= 1 and len(places.prices) <= 1:
        return reader(places, form)  # nothing is chosen by its number
    return lambda text: reader(places, text)(text)


def _plain(text: str) -> str:
    return " ".join((text if text.isascii() else _WITHIN_NUMBER.sub("'", text)).split())


def _form(text: str) -> str:
    """Write other digits that say the same about where numbers stand, so that most texts have a form that is known."""
    return _RUN.sub(lambda run: _like(run[0]), text)


@lru_cache
def _like(digits: str) -> str:
    return digits if digits in _TELLING else ("0" if digits[0] == "0" else "2") + "2" * (len(digits) - 1)


def reader(places: Places, text: str) -> Reader:
    """Choose from what stands in a text, and return what reads the numbers there, in any text of the same places."""
    quantity = _the_quantity(text, places.quantities)
    price = (quantity and quantity.price) or _the_price(text, places.prices)
    if quantity is None:
        return (lambda text: {"unit": price.unit, "unit_price": price.value(text)}) if price else _silent
    number, unit = quantity.measure.value, quantity.measure.unit
    if price is None:
        return lambda text: {"quantity": number(text), "unit": unit}
    rate = price.per(unit)
    return (lambda text: {"quantity": number(text), "unit": unit, "unit_price": rate.value(text)}) if rate else _silent


def _silent(_: str) -> ChargeText:
    return {}


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
