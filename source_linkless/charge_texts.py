"""What the text of a charge says in numbers: quantity, unit and price of one unit. Pure.

The provider prints them in one string with no promised form (API notes, section 4.2), so this reads only what a
person would read the same way without knowing the bill. A number that may be a tier ("First 500 kWh"), a range, a
tariff ("Rate 5 kW service"), a date or a reference is no quantity; what can be read in two ways is not read.
"""

# ruff: noqa: RUF001 - the look-alikes of hyphen, x and apostrophe are what bills print

from __future__ import annotations

import re
from collections.abc import Iterator
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

_LONGEST_TEXT = 500

_NUMBER = r"(?>[0-9](?:[0-9.,'’]{0,18}[0-9])?|\.[0-9]{1,12})"
_UNIT = "(?:" + "|".join(spellings for spellings, _, _ in _UNITS.values()) + r")(?![\w³²^])"
_NO_RATIO = r"(?! ?/| ?per\b| ?-[a-z])"  # "40 kWh/day" and "$5.00/kW per month" speak of time as well
_NO_TAIL = r"(?<![\w.,/#$€£¢@'’+−–—-])"  # of a word, a date, a range or an amount

_MONEY = (
    rf"(?P<minus>[-−]?)(?:(?:(?:us|ca|c)? ?\$|€|£|usd|cad) ?(?P<after>{_NUMBER})"
    rf"|(?P<before>{_NUMBER}) ?(?:(?P<cents>¢|cents?\b|cts?\b|c(?= ?/))|\$|€|£|dollars?\b|usd\b|cad\b)"
)
_PER = rf" ?(?:/|\b(?:per|each|a|par)\b) ?(?:(?P<bundle>1,?000|100) )?(?P<per>{_UNIT}){_NO_RATIO}"

_DIGIT = re.compile("[0-9]")
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

_WITHIN_NUMBER = re.compile(r"(?<=[0-9])[\u00a0\u2009\u202f](?=[0-9]{3}(?![0-9]))")
_ENGLISH = re.compile(r"(?:[0-9]*|[1-9][0-9]{0,2}(?:,[0-9]{3})+|[1-9][0-9]{0,2}(?:['’][0-9]{3})+)(?:\.[0-9]+)?")
_CONTINENTAL = re.compile(
    r"[0-9]+,[0-9]{1,2}|0,[0-9]+|[0-9]+,[0-9]{4,}|[1-9][0-9]{0,2}(?:(?:\.[0-9]{3})+,[0-9]+"
    r"|(?:\.[0-9]{3}){2,}|(?:['’][0-9]{3})+,[0-9]+)"
)


@dataclass(frozen=True, slots=True)
class ChargeText:
    """What a text says plainly; None for what it does not. `unit_price` is never in cents."""

    quantity: float | None = None
    unit: str | None = None
    unit_price: float | None = None


@dataclass(frozen=True, slots=True)
class _Measure:
    """So many units, or the price of one."""

    value: Decimal
    unit: str


@dataclass(frozen=True, slots=True)
class _Quantity:
    measure: _Measure
    price: _Measure | None


def read_charge_text(text: str) -> ChargeText:
    """Read quantity, unit and unit price from the text of a charge, as printed on the bill."""
    plain = " ".join(_WITHIN_NUMBER.sub("’", text[: _LONGEST_TEXT + 1]).split())
    if len(plain) > _LONGEST_TEXT or not _DIGIT.search(plain):
        return ChargeText()
    prices = {price for match in _PRICE_PER.finditer(plain) if (price := _price(match, None)) is not None}
    return _combined(_the_quantity(list(dict.fromkeys(_quantities(plain)))), prices)


def _combined(quantity: _Quantity | None, prices: set[_Measure]) -> ChargeText:
    price = (quantity and quantity.price) or (next(iter(prices)) if len(prices) == 1 else None)
    if quantity is None:
        return ChargeText(None, price.unit, _json(price.value)) if price else ChargeText()
    unit, amount = quantity.measure.unit, _json(quantity.measure.value)
    if price is None:
        return ChargeText(amount, unit)
    same = _base(price.unit) == _base(unit)
    return ChargeText(amount, unit, _json(_price_of(unit, price))) if same else ChargeText()


def _the_quantity(found: list[_Quantity]) -> _Quantity | None:
    """Choose the only quantity; or the only priced one, if the others are of another kind ("45 CCF = 46 therms")."""
    priced = [quantity for quantity in found if quantity.price]
    if len(found) > 1 and len(priced) == 1:
        kind = _base(priced[0].measure.unit)
        found = [one for one in found if one.price or _base(one.measure.unit) == kind]
    return found[0] if len(found) == 1 else None


def _quantities(text: str) -> Iterator[_Quantity]:
    for match in _QUANTITY.finditer(text):
        before, after = text[: match.start()], text[match.end() :]
        quantity = _quantity(match, after)
        if quantity is None or _NO_QUANTITY.match(before[::-1]):
            continue
        if quantity.price or (_AFTERWARDS.match(after) and not _TIER.search(before)):
            yield quantity
    for match in _LABELLED.finditer(text) if ":" in text or "=" in text else ():
        before, after = text[: match.start()], text[match.end() :]
        quantity = _quantity(match, after)
        if quantity and not _PRICE_WORD.search(before) and not _NO_QUANTITY.match(before[::-1]):
            yield quantity


def _quantity(match: re.Match[str], after: str) -> _Quantity | None:
    value = _number(match["number"])
    if value is None:
        return None
    unit = _unit(match["unit"])
    price = _PRICE_NEXT.match(after)
    return _Quantity(_Measure(-value if match["sign"] else value, unit), price and _price(price, unit))


def _price(match: re.Match[str], unit: str | None) -> _Measure | None:
    """Read the price of one `unit`, or of one of what the text itself says after "per"."""
    found = match.groupdict()
    bare = found.get("bare")
    if bare and not (found["per"] or (found["at"] and found["end"] is not None)):
        return None
    value = _number(bare or found["after"] or found["before"])
    if value is None:
        return None
    shift = (2 if found["cents"] else 0) + len((found["bundle"] or "1").replace(",", "")) - 1
    value = (-value if found["minus"] else value).scaleb(-shift)
    per = _unit(found["per"]) if found["per"] else unit
    return _Measure(value, per) if per else None


def _price_of(unit: str, price: _Measure) -> Decimal:
    """Convert a price to another unit of the same base, exactly: they differ by powers of ten only."""
    return price.value.scaleb(_UNITS[unit][2] - _UNITS[price.unit][2])


def _base(unit: str) -> str:
    return _UNITS[unit][1]


@lru_cache
def _unit(spelling: str) -> str:
    matching = (unit for unit, row in _UNITS.items() if re.fullmatch(row[0], spelling, re.IGNORECASE))
    return next(matching)


def _number(text: str) -> Decimal | None:
    """Read a number as English or continental bills print it; None for what is neither, or could be both."""
    if _ENGLISH.fullmatch(text):
        return Decimal(re.sub("[,'’]", "", text))
    if _CONTINENTAL.fullmatch(text):
        return Decimal(re.sub("[.'’]", "", text).replace(",", "."))
    return None


def _json(value: Decimal) -> float:
    return int(value) if value == value.to_integral_value() else float(value)
