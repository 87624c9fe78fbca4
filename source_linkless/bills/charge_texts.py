"""What the text of a charge says in numbers: quantity, unit and price of one unit. Pure.

The provider prints them in one string with no promised form (API notes, section 4.2), so this reads only what a
person would read the same way without knowing the bill. A number that may be a tier ("First 500 kWh"), a range, a
tariff ("Rate 5 kW service"), a date or a reference is no quantity; what can be read in two ways is not read.

    "Energy 1,034 kWh @ $0.12"
      ├─► outline "Energy 2,022 kWh @ $0.22" ─► form "Energy 2,222 kWh @ $0.22" ─► where the numbers stand
      └────────────────────────────────────────────────────────────────────────────► 1034 kWh, 0.12

Where they stand depends on the form of a text alone, and that, but for few texts, on its outline. Bills have few forms
and many numbers, so what was found is remembered under both, and of most new texts only the numbers are copied.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, TypeVar

from source_linkless.bills.charge_forms import Measure, Places, Quantity, base_of, places_in
from source_linkless.bills.rows import Members

P = TypeVar("P")

_LONGEST_TEXT = 500
_REMEMBERED = 8_192

_ALIKE = bytes.maketrans(b"123456789", b"222222222")
_DOUBTFUL = re.compile(r"[mt^]2|(?<![0-9,.])2(?:,?0)?00 ", re.IGNORECASE)  # m3? The price of a hundred, or a thousand?

_WITHIN_NUMBER = re.compile(r"(?<=[0-9])[\u00a0\u2009\u202f](?=[0-9]{3}(?![0-9]))")
_DIGIT = re.compile("[0-9]")
_RUN = re.compile(r"(?<![A-Za-z^])[0-9]+")  # not the 3 of m3
_TELLING = {"0", "1", "000", "100", "1000"}  # a number that begins with 0; a price for a hundred or a thousand
_AS_JSON = re.compile(r"(?:0|[1-9][0-9]{0,8})(\.[0-9]{1,6})?")
"""Numbers that say in JSON what they say on paper, to the last digit."""

Reader = Callable[[str], Members]
"""Reads what a text says, as members that follow others: nothing, or some of `quantity`, `unit`, `unit_price`."""


def read_charge_texts(names: Sequence[Any]) -> Iterable[Members]:
    """Read quantity, unit and unit price from the names of charges, texts as printed on the bill.

    Returns the columns of each as members that follow others; none for a text that says nothing plainly, or for what
    is no text. The unit price is never in cents.
    """
    texts = names
    try:
        joined = "\0".join(texts)
    except TypeError:
        texts = [name if isinstance(name, str) else "" for name in names]
        joined = "\0".join(texts)
    outlines = _outline(joined).split(b"\0")
    if len(outlines) != len(texts) or (len(joined) > _LONGEST_TEXT and len(max(texts, key=len)) > _LONGEST_TEXT):
        return map(_read, texts)
    readers = zip(map(_reader_by_outline, outlines), texts, strict=True)
    return [b"" if read is _silent else read(text) for read, text in readers]


def _read(text: str) -> Members:
    if len(text) > _LONGEST_TEXT:
        return b""
    return _reader_by_outline(_outline(text))(text)


def _outline(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass").translate(_ALIKE)


@lru_cache(_REMEMBERED)
def _reader_by_outline(outline: bytes) -> Reader:
    """Return what reads each text of this outline."""
    text = outline.decode("utf-8", "surrogatepass")
    if not _DIGIT.search(text):
        return _silent  # and remember no form: there are as many as names
    if _DOUBTFUL.search(text) or _plain(text) != text:  # they may be of several forms, or have to be made plain
        return _read_plain
    return _reader_by_form(_form(text))


def _read_plain(text: str) -> Members:
    plain = _plain(text)
    return _reader_by_form(_form(plain))(plain)


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
    if digits in _TELLING:
        return digits
    first, last = ("0" if digits[place] == "0" else "2" for place in (0, -1))
    return (first + "2" * (len(digits) - 2) + last)[-len(digits) :]


def reader(places: Places, text: str) -> Reader:
    """Choose from what stands in a text, and return what reads the numbers there, in any text of the same places."""
    quantity = _the_quantity(text, places.quantities)
    price = (quantity and quantity.price) or _the_price(text, places.prices)
    if quantity is None:
        return _rated(price, text) if price else _silent
    if price is None:
        return _measured(quantity.measure, text)
    rate = price.per(quantity.measure.unit)
    return _priced(quantity.measure, rate, text) if rate else _silent


def _silent(_: str) -> Members:
    return b""


def _rated(price: Measure, text: str) -> Reader:
    rate, unit = _number(price, text), price.unit
    return lambda text: f',"unit":"{unit}","unit_price":{rate(text)}'.encode()


def _measured(measure: Measure, text: str) -> Reader:
    number, unit = _number(measure, text), measure.unit
    return lambda text: f',"quantity":{number(text)},"unit":"{unit}"'.encode()


def _priced(measure: Measure, price: Measure, text: str) -> Reader:
    number, rate, unit = _number(measure, text), _number(price, text), measure.unit
    return lambda text: f',"quantity":{number(text)},"unit":"{unit}","unit_price":{rate(text)}'.encode()


def _number(measure: Measure, text: str) -> Callable[[str], str]:
    """Return what writes a number as JSON, in this text and those like it; most are copied as they are printed."""
    as_printed = _AS_JSON.fullmatch(measure.numeral(text))
    if as_printed is None:
        return measure.json
    if (as_printed[1] or "").endswith("0"):  # 12.0 is 12
        return lambda text: measure.numeral(text).rstrip("0").rstrip(".")
    place = slice(measure.start, measure.end)
    match measure.marks:
        case []:
            return itemgetter(place)
        case [(mark, instead)]:
            return lambda text: text[place].replace(mark, instead)
    return measure.numeral


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
