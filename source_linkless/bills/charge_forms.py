"""Where quantity and price stand in the text of a charge, whatever its numbers are. Pure.

    "Energy 1,234 kWh @ $0.12" ─► a quantity: 7 to 12, without ",", of kWh; beside it the price of one: 19 to 23

Of a number it matters how many digits it has, and whether it begins with 0. A digit itself is looked at in two places:
the 3 of units like m3, and the 1 of prices for 100 or 1,000 units. `charge_texts` relies on that.
"""

# ruff: noqa: RUF001 - the look-alikes of hyphen, x and apostrophe are what bills print

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache

# unit: spellings (case does not matter), base, power of ten of the base
_UNITS = {
    "kWh": (r"kwhs?|kw[ .·-]?hrs?|kw[·-]h|kilowatt[ -]hours?", "Wh", 3),
    "MWh": (r"mwhs?|mw[ .·-]?hrs?|mw[·-]h|megawatt[ -]hours?", "Wh", 6),
    "GWh": (r"gwhs?|gigawatt[ -]hours?", "Wh", 9),
    "kW": (r"kws?|kilowatts?", "W", 3),
    "MW": (r"mws?|megawatts?", "W", 6),
    "kVA": (r"kvas?", "VA", 3),
    "MVA": (r"mvas?", "VA", 6),
    "kVAh": (r"kvahs?", "VAh", 3),
    "kVAr": (r"kvars?", "VAr", 3),
    "kVArh": (r"kvarhs?|kvar[ -]?hrs?|kvar[ -]hours?", "VArh", 3),
    "therms": (r"therms?|thms?", "therm", 0),
    "Dth": (r"dths?|de[ck]atherms?", "therm", 1),
    "MMBtu": (r"mm ?btus?", "Btu", 6),
    "MJ": (r"mjs?|megajoules?", "J", 6),
    "GJ": (r"gjs?|gigajoules?", "J", 9),
    "ft³": (r"cubic f(?:ee|oo)t|cu\.? ?ft\.?|ft³|ft\^?3|cf", "ft³", 0),
    "CCF": (r"ccfs?|hcfs?|hundred cubic feet", "ft³", 2),
    "MCF": (r"mcfs?|thousand cubic feet", "ft³", 3),
    "m³": (r"m³|m\^?3|cubic met(?:er|re)s?|cu\.? ?m\.?", "litre", 3),
    "litres": (r"lit(?:re|er)s?", "litre", 0),
    "kL": (r"kls?|kilolit(?:re|er)s?", "litre", 3),
    "gallons": (r"gal(?:lon)?s?", "gallon", 0),
    "kgal": (r"kgals?|kilogallons?|thousand gal(?:lon)?s?", "gallon", 3),
}

_NUMBER = r"(?>[0-9](?:[0-9.,'’]{0,18}[0-9])?|\.[0-9]{1,12})"
_UNIT = "(?:" + "|".join(spellings for spellings, _, _ in _UNITS.values()) + r")(?![\w³²^])"
_NO_RATIO = r"(?! ?/| ?per\b| ?-[a-z])"  # "40 kWh/day" and "$5.00/kW per month" speak of time as well
_NO_TAIL = r"(?<![\w.,/#$€£¢@'’+−–—-])"  # of a word, a date, a range or an amount

_MONEY = (
    rf"(?P<minus>[-−]?)(?:(?:(?:us|ca|c)? ?\$|€|£|usd|cad) ?(?P<after>{_NUMBER})"
    rf"|(?P<before>{_NUMBER}) ?(?:(?P<cents>¢|cents?\b|cts?\b|c(?= ?/))|\$|€|£|dollars?\b|usd\b|cad\b)"
)
_PER = rf" ?(?:/|\b(?:per|each|a|par)\b) ?(?:(?P<bundle>1,?000|100) )?(?P<per>{_UNIT}){_NO_RATIO}"

_QUANTITY = re.compile(rf"{_NO_TAIL}(?P<sign>[-−]?)(?P<number>{_NUMBER}) ?(?P<unit>{_UNIT}){_NO_RATIO}", re.IGNORECASE)
_LABELLED = re.compile(
    rf"\b(?P<unit>{_UNIT})\)? ?[:=] ?(?P<sign>[-−]?)(?P<number>{_NUMBER})(?= ?(?:$|[@x×*]))", re.IGNORECASE
)
_PRICE_PER = re.compile(rf"{_NO_TAIL}(?<!\+ ){_MONEY}){_PER}", re.IGNORECASE)
_PRICE_NEXT = re.compile(
    rf" ?(?:\([^()]*\) ?)?[,:]? ?(?:(?P<at>@|at\b|à)|x\b|×|\*) ?{_MONEY}|(?P<bare>{_NUMBER}))(?:{_PER})?"
    r"(?! ?[/%+]| ?per\b|\w)(?P<end> ?(?:$|[),;=]))?",
    re.IGNORECASE,
)
_PRICE_WORD = re.compile(r"[$€£¢/]|\b(?:per|price|rate|cost|cents?)\b", re.IGNORECASE)

# Before a number that is a bound, a factor, a name, or part of a date.
_NO_QUANTITY_WORDS = (
    *("x", "first", "next", "last", "over", "above", "under", "below", "than", "exceeding", "beyond", "additional"),
    *("excess", "to", "until", "through", "thru", "between", "from", "per", "min", "minimum", "max", "maximum"),
    *("every", "each", "no", "number", "nr", "meter", "account", "acct", "phase", "service", "rate", "tariff"),
    *("schedule", "class", "plan", "rider", "option", "type", "code", "jan", "january", "feb", "february", "mar"),
    *("march", "apr", "april", "may", "jun", "june", "jul", "july", "aug", "august", "sep", "sept", "september"),
    *("oct", "october", "nov", "november", "dec", "december"),
)
_NO_QUANTITY_PHRASES = [f"{word} of" for word in ("tier", "block", "limit", "minimum", "allowance", "excess", "step")]
# Read backwards from the number, so that only what stands just before it is looked at.
_NO_QUANTITY_BACKWARDS = "|".join(words[::-1] for words in (*_NO_QUANTITY_WORDS, *_NO_QUANTITY_PHRASES))
_NO_QUANTITY = re.compile(rf" ?(?:[-–—]? ?[0-9]|[<>≤≥+×*@]|\.?(?:{_NO_QUANTITY_BACKWARDS})\b)", re.IGNORECASE)
# Anywhere before a number that has no price beside it: it may be the name of a tier or of a tariff.
_TIER = re.compile(
    r"\b(?:tier|block|step|level|rate|tariff|schedule|class|plan|rider|min|minimum|max|maximum|limit|threshold"
    r"|allowance|allotment|baseline|included?|contract|contracted|capacity|rated|size|sized)\b",
    re.IGNORECASE,
)
# After a quantity that has no price beside it. Other words make a name of it, like "service".
_AFTERWARDS = re.compile(
    r" ?(?:$|[)\],;:.=@|(×*]|[-–—] |(?:x|at|used|usage|consumed|consumption|billed|delivered|supplied|generated"
    r"|exported|received|imported|energy|electricity|electric|gas|natural|water|demand|peak|on|off|mid|of|for"
    r"|during|net|total|adjusted|metered|actual|estimated)\b)",
    re.IGNORECASE,
)

_ENGLISH = re.compile(r"(?:[0-9]*|[1-9][0-9]{0,2}(?:,[0-9]{3})+|[1-9][0-9]{0,2}(?:['’][0-9]{3})+)(?:\.[0-9]+)?")
_CONTINENTAL = re.compile(
    r"[0-9]+,[0-9]{1,2}|0,[0-9]+|[0-9]+,[0-9]{4,}|[1-9][0-9]{0,2}(?:(?:\.[0-9]{3})+,[0-9]+"
    r"|(?:\.[0-9]{3}){2,}|(?:['’][0-9]{3})+,[0-9]+)"
)

_NOTATIONS = (
    (_ENGLISH, ((",", ""), ("'", ""), ("’", ""))),
    (_CONTINENTAL, ((".", ""), ("'", ""), ("’", ""), (",", "."))),
)

_SHORT = 11
"""A number of so many characters, its power of ten included, is whole as a double only if it is, and then exact."""
_WHOLE_BITS = 63  # and a sign: what the writer of JSON takes


@dataclass(frozen=True, slots=True)
class Measure:
    """So many units, or the price of one: where its number stands, and what is to be done with it."""

    start: int
    end: int
    marks: Sequence[tuple[str, str]]
    """What each mark between the digits becomes, as English or as continental bills print them."""
    unit: str
    sign: str = ""
    shift: int = 0
    """Power of ten: cents are hundredths, and a price may be that of a thousand units."""

    def numeral(self, text: str) -> str:
        """Return the number that stands there as Python writes it."""
        digits = text[self.start : self.end]
        for mark, instead in self.marks:
            digits = digits.replace(mark, instead)
        return f"{self.sign}{digits}e{self.shift}" if self.shift or self.sign else digits

    def json(self, text: str) -> str:
        """Return the number that stands there as JSON: a whole one exactly, without fraction; others rounded once."""
        return _json(self.numeral(text))

    def said(self, text: str) -> tuple[Decimal, str]:
        """Return what makes two measures the same one, said twice."""
        return Decimal(self.numeral(text)), self.unit

    def per(self, unit: str) -> Measure | None:
        """Return this price of one unit as that of another one, exactly; None if that is of another kind."""
        if base_of(unit) != base_of(self.unit):
            return None
        return replace(self, unit=unit, shift=self.shift + _UNITS[unit][2] - _UNITS[self.unit][2])


@lru_cache(1_024)  # prices in cents come again and again
def _json(numeral: str) -> str:
    if len(numeral) > _SHORT:
        return _long(numeral)
    value = float(numeral)
    return str(int(value)) if value.is_integer() else repr(value)


def _long(numeral: str) -> str:
    exact = Decimal(numeral)
    whole = int(exact)
    return str(whole) if whole == exact and whole.bit_length() <= _WHOLE_BITS else repr(float(exact))


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity, with the price of one unit if that stands beside it."""

    measure: Measure
    price: Measure | None


@dataclass(frozen=True, slots=True)
class Places:
    """All that may be a quantity, and all that may be the price of one unit."""

    quantities: tuple[Quantity, ...]
    prices: tuple[Measure, ...]


def places_in(text: str) -> Places:
    """Find what a text may say, and where."""
    prices = (_price(match, None) for match in _PRICE_PER.finditer(text))
    return Places(tuple(_quantities(text)), tuple(price for price in prices if price))


def _quantities(text: str) -> Iterator[Quantity]:
    for match in _QUANTITY.finditer(text):
        before, after = text[: match.start()], match.end()
        quantity = _quantity(match)
        if quantity is None or _NO_QUANTITY.match(before[::-1]):
            continue
        if quantity.price or (_AFTERWARDS.match(text, after) and not _TIER.search(before)):
            yield quantity
    for match in _LABELLED.finditer(text):
        before = text[: match.start()]
        quantity = _quantity(match)
        if quantity and not _PRICE_WORD.search(before) and not _NO_QUANTITY.match(before[::-1]):
            yield quantity


def _quantity(match: re.Match[str]) -> Quantity | None:
    marks = _marks(match["number"])
    if marks is None:
        return None
    unit = _unit(match["unit"])
    price = _PRICE_NEXT.match(match.string, match.end())
    measure = Measure(*match.span("number"), marks, unit, "-" if match["sign"] else "")
    return Quantity(measure, price and _price(price, unit))


def _price(match: re.Match[str], unit: str | None) -> Measure | None:
    """Read the price of one `unit`, or of one of what the text itself says after "per"."""
    found = match.groupdict()
    bare = found.get("bare")
    if bare and not (found["per"] or (found["at"] and found["end"] is not None)):
        return None
    name = "bare" if bare else "after" if found["after"] else "before"
    per = _unit(found["per"]) if found["per"] else unit
    marks = _marks(found[name])
    if per is None or marks is None:
        return None
    shift = (2 if found["cents"] else 0) + len((found["bundle"] or "1").replace(",", "")) - 1
    return Measure(*match.span(name), marks, per, "-" if found["minus"] else "", -shift)


def base_of(unit: str) -> str:
    """Return the base of a unit, of which it is so many tens: that of kWh is Wh."""
    return _UNITS[unit][1]


@lru_cache
def _unit(spelling: str) -> str:
    matching = (unit for unit, row in _UNITS.items() if re.fullmatch(row[0], spelling, re.IGNORECASE))
    return next(matching)


def _marks(number: str) -> Sequence[tuple[str, str]] | None:
    """Tell how a number is read, as English or continental bills print it; None for neither, or what could be both."""
    marks = next((marks for notation, marks in _NOTATIONS if notation.fullmatch(number)), None)
    return None if marks is None else [(mark, instead) for mark, instead in marks if mark in number]
