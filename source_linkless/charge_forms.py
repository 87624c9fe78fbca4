"""Where quantity and price stand in the text of a charge, by its form: whatever its numbers are. Pure.

The form of a text is the text with other digits (`charge_texts`). Few forms make many texts, so they are remembered.
"""

# ruff: noqa: RUF001 - the look-alikes of hyphen, x and apostrophe are what bills print

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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

_FORMS_REMEMBERED = 4_096
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

_ENGLISH_MARKS = str.maketrans(dict.fromkeys(",'’"))
_CONTINENTAL_MARKS = str.maketrans({",": ".", ".": None, "'": None, "’": None})


@dataclass(frozen=True, slots=True)
class Measure:
    """So many units, or the price of one: where its number stands, and what is to be done with it."""

    start: int
    end: int
    marks: Mapping[int, str | None]
    """What the marks between the digits become, as English or as continental bills print them."""
    unit: str
    is_negative: bool = False
    shift: int = 0
    """Power of ten: cents are hundredths, and a price may be that of a thousand units."""

    def value(self, text: str, shift: int = 0) -> Decimal:
        """Return the number that stands there, times ten to the power of `shift`."""
        value = Decimal(text[self.start : self.end].translate(self.marks))
        shift += self.shift
        if shift:
            value = value.scaleb(shift)
        return -value if self.is_negative else value

    def said(self, text: str) -> tuple[Decimal, str]:
        """Return what makes two measures the same one, said twice."""
        return self.value(text), self.unit


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity, with the price of one unit if that stands beside it."""

    measure: Measure
    price: Measure | None


@dataclass(frozen=True, slots=True)
class Places:
    """What a text says, and where, whatever its numbers are."""

    quantities: tuple[Quantity, ...]
    prices: tuple[Measure, ...]


@lru_cache(maxsize=_FORMS_REMEMBERED)
def places_in(form: str) -> Places:
    """Find all that may be a quantity, and all that may be the price of one unit."""
    prices = (_price(match, None) for match in _PRICE_PER.finditer(form))
    return Places(tuple(_quantities(form)), tuple(price for price in prices if price))


def _quantities(form: str) -> Iterator[Quantity]:
    for match in _QUANTITY.finditer(form):
        before, after = form[: match.start()], match.end()
        quantity = _quantity(match)
        if quantity is None or _NO_QUANTITY.match(before[::-1]):
            continue
        if quantity.price or (_AFTERWARDS.match(form, after) and not _TIER.search(before)):
            yield quantity
    for match in _LABELLED.finditer(form):
        before = form[: match.start()]
        quantity = _quantity(match)
        if quantity and not _PRICE_WORD.search(before) and not _NO_QUANTITY.match(before[::-1]):
            yield quantity


def _quantity(match: re.Match[str]) -> Quantity | None:
    marks = _marks(match["number"])
    if marks is None:
        return None
    unit = _unit(match["unit"])
    price = _PRICE_NEXT.match(match.string, match.end())
    measure = Measure(*match.span("number"), marks, unit, is_negative=bool(match["sign"]))
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
    return Measure(*match.span(name), marks, per, is_negative=bool(found["minus"]), shift=-shift)


def base_of(unit: str) -> str:
    """Return the base of a unit, of which it is so many tens: that of kWh is Wh."""
    return _UNITS[unit][1]


@lru_cache
def _unit(spelling: str) -> str:
    matching = (unit for unit, row in _UNITS.items() if re.fullmatch(row[0], spelling, re.IGNORECASE))
    return next(matching)


def _marks(number: str) -> Mapping[int, str | None] | None:
    """Tell how a number is read, as English or continental bills print it; None for neither, or what could be both."""
    if _ENGLISH.fullmatch(number):
        return _ENGLISH_MARKS
    return _CONTINENTAL_MARKS if _CONTINENTAL.fullmatch(number) else None


def conversion(unit: str, of: str) -> int:
    """Return the power of ten by which the price of a unit differs from that of another one of its base, exactly."""
    return _UNITS[unit][2] - _UNITS[of][2]
