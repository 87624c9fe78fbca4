"""Read quantity, unit and unit price from the texts of charges. Pure.

The provider sends one text a line, in no promised form (API notes, section 4.2). The line's own amount decides what
its numbers mean:

    "Arbeitspreis 2.847 kWh x 0,32 EUR/kWh", 911.04
      ├─ shape ──────── Arbeitspreis 0.000 kWh x 0,00 EUR/kWh    remembered with what follows from it:
      │    ├─ notations ── 0000 or 0.000, and 0.00               the ways to print such numbers
      │    ├─ outline ──── arbeitspreis N kwh x N eur/kwh
      │    ├─ kinds ────── w n u x n $ / u                       of each token as one letter
      │    └─ pairs ────── 0000 kWh or 0.000 kWh, 0.00 EUR/kWh   a quantity, and a price that may be of it
      ├─ wholes ─────── 2847, 32                                 the digits of each number
      └─ decision ───── 2847 × 0.32 = 911.04                     the one pair that fits the amount

Where no reading fits, or several do, a number is read only if its notation cannot be mistaken, by itself or by other
numbers of the text or the bill; and a quantity only if the words around it do not say that it is something else.

Units, currencies and words are in `charge_words.toml`.
"""

# ruff: noqa: RUF001, RUF002 - the look-alikes of hyphen, x and apostrophe are what bills print

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources
from itertools import islice, product
from typing import NamedTuple

_LONGEST_TEXT = 500
_LONGEST_NUMBER = 24
_LONGEST_ABBREVIATION = 2
_MOST_CHOICES = 1_000  # readings of a sum that are tried
_TOLERANCE = 0.005
"""A reading fits if quantity × price differs from the amount by half a cent or 0.5 %, whichever is more."""
_MOST = 1_000  # prices in cents are below it, and those of one of the `SMALL` units: it decides where two readings fit
_FINEST = 10**_LONGEST_NUMBER  # parts of a unit, in which quantities are added
_LEAST_FLOAT = 2**63  # whole numbers from here on become floats: the writer of JSON takes no others

Charge = tuple[str, float | None]
"""A line of a bill: its text, and its amount in the currency of the bill if that is known."""


class Reading(NamedTuple):
    """What a text says: a quantity in `unit`, and the price of one `unit` in the currency of the bill, never in cents.

    Each is None where the text does not settle it; `unit` is None if both others are. Whole numbers are int.
    """

    quantity: float | None = None
    unit: str | None = None
    unit_price: float | None = None


_NOTHING = Reading()
_new = tuple.__new__  # Reading(…) takes three times as long
_Found = tuple[Reading, str, bool]
"""A reading, the decimal mark that the text proves ("" for none), whether knowing the mark could tell more."""
_SILENT: _Found = (_NOTHING, "", False)


def read_charges(charges: Sequence[Charge]) -> list[Reading]:
    """Read the lines of one bill, in their order.

    Lines that prove which decimal mark the bill uses settle the numbers of the other lines.
    """
    found = [_read(name, amount) for name, amount in charges]
    if any(is_open for _, _, is_open in found):
        mark = _only({mark for _, mark, _ in found})
        found = [_read(*charge, mark) if one[2] else one for charge, one in zip(charges, found, strict=True)]
    return [reading for reading, _, _ in found]


# --- Words: units, currencies and languages. ------------------------------------------------------------------------

_WORDS = tomllib.loads(resources.files(__package__).joinpath("charge_words.toml").read_text(encoding="utf-8"))
UNITS = _WORDS["units"]
CAPACITIES = {unit for unit, row in UNITS.items() if row.get("capacity")}
SMALL = {unit for unit, row in UNITS.items() if row.get("small")}
LANGUAGES = _WORDS["languages"]
_DAYS = "days"
"""The unit of "31 days"; no charge is delivered in it without an amount that fits."""

_UNIT = rf"(?:{'|'.join(spelling for row in UNITS.values() for spelling in row['spelled'])})(?![\w³²^])"
_MAJOR, _MINOR = (
    "|".join([*_WORDS["currencies"][name], rf"(?:{'|'.join(_WORDS['currencies'][name + '_words'])}){end}(?![^\W_])"])
    for name, end in (("major", ""), ("minor", r"\.?"))
)


def _pattern(language: str, row: str) -> str:
    """Return the words of a row of a language as one regular expression; digits are N, as in outlines."""
    words = re.sub(r"\d", "N", LANGUAGES[language][row]).replace("*", r"\w*")
    return "|".join(words.split()).replace("_", " ")


_KINDS_OF_WORDS = [
    (re.compile("|".join(_pattern(name, row) for name in LANGUAGES)), kind)
    for row, kind in {
        "at": "@", "per": "/", "days": "d", "longer": "m", "bounds": "b", "numbered": "k", "used": "U"
    }.items()
]  # fmt: skip
_KINDS_OF_SIGNS = {":": ",", ";": ",", "–": "-", "—": "-", "%": "p", ">": "<", "≥": "<", "≤": "<", "#": "<"}
_NOT_USED, _METER_READINGS = (
    {name: re.compile(rf"\b(?:{_pattern(name, row)})(?!\w)") for name in LANGUAGES} for row in ("not_used", "readings")
)
_OWN_WORDS = {
    name: {word for row in ("known_by", "used", "days", "longer") for word in words[row].split() if word.isalpha()}
    for name, words in LANGUAGES.items()
}
_KNOWN_BY = {
    word: name
    for name, words in _OWN_WORDS.items()
    for word in words
    if len(word) > _LONGEST_ABBREVIATION and sum(word in others for others in _OWN_WORDS.values()) == 1
}
"""Words of one language alone; they tell the language of a text."""


@lru_cache(1_024)
def _unit(spelling: str) -> str:
    """Return the name of a unit, in lower case, or of a word for days."""
    return next((unit for unit, row in UNITS.items() if re.fullmatch("|".join(row["spelled"]), spelling)), _DAYS)


def _power_between(unit: str, per: str) -> int | None:
    """Return the power of ten by which one `unit` is more than one `per`; None if they measure different things."""
    if unit == per:
        return 0
    if _DAYS in (unit, per) or UNITS[unit]["base"] != UNITS[per]["base"]:
        return None
    return int(UNITS[unit]["power"] - UNITS[per]["power"])


# --- Numbers: each has every notation in which numbers like it are printed, whatever its digits are. ----------------

_DIGITS_ALIKE = bytes.maketrans(b"123456789", b"000000000")
_NUMBER = re.compile(
    r"0(?<![\w^].)(?:"
    r"0?\.0{1,2}\.(?!0)"  # "31.12."
    r"|(?<!\w-.)(?<![/:.,].)0{0,2}(?:[ \u00a0\u2009\u202f]000)+(?:[.,]0+)?(?![.,]?0)"
    r"|0*(?:[.,'’]0+)*)"
)
_NOTATIONS = (
    re.compile(
        r"0{1,3}(?P<thousands>[.,'’ \u00a0\u2009\u202f])000(?:(?P=thousands)000)*"
        r"(?:(?!(?P=thousands))(?P<mark>[.,])(?P<decimals>0+))?"
    ),
    re.compile(r"0*(?P<thousands>)(?:(?P<mark>[.,])(?P<decimals>0+))?"),
)
_OTHER = {".": ",", ",": ".", "'": "", "’": ""}
"""The decimal mark beside a mark of thousands; a number with one of these does not begin with a zero."""
_CUBIC = re.compile(r"(?<=[mt^])3(?![\w³²^])", re.IGNORECASE)
"""The one digit that is part of a unit: "m3", "ft^3". Shapes have it as "m³", as 3 would be 0."""

_Wholes = Sequence[int]
"""The digits of each number of a text as a whole number, and a 1 at the end."""


@dataclass(slots=True)  # attributes of named tuples take three times the instructions
class _Notation:
    """A way to print a number: the whole at a place over a power of ten, which has the sign.

    `first` is the lowest number of as many digits, `least` the lowest that may be printed like this. Without a mark of
    decimals, `mark` is the one that is implied.
    """

    place: int
    divisor: int
    first: int
    least: int
    thousands: str
    mark: str

    def value(self, wholes: _Wholes) -> float:
        return _json_number(wholes[self.place], self.divisor)


_ONE = _Notation(-1, 1, 1, 0, "", "")


def _only(marks: set[str]) -> str:
    """Return the only mark that numbers imply; "" if they imply none or both."""
    found = "".join(marks)
    return found if len(found) == 1 else ""


def _json_number(numerator: int, divisor: int, shift: int = 0) -> float:
    """Return a quotient times 10 ** `shift`, rounded once; whole numbers as int."""
    if shift > 0:
        numerator *= 10**shift
    elif shift < 0:
        divisor *= 10**-shift
    whole = numerator // divisor
    return whole if whole * divisor == numerator and -_LEAST_FLOAT < whole < _LEAST_FLOAT else numerator / divisor


# --- Tokens: each has a kind of one letter, so that regular expressions over the kinds find the forms. --------------

_LETTER = r"[^\W\d_ND]"
_TOKEN = re.compile(
    # D stands for dates, times of day, fractions, ranges, "301+"
    r"(?P<D>D|N(?:[-–/:]N)+|N\+|N ?[ap]\.?m\b\.?)|(?P<p>[.,]?N ?%)"
    rf"|(?P<n>(?<![\w)])\(N\)(?= ?{_UNIT})"
    rf"|(?<![\w.,/])(?:(?<![\dND] )[-−–])?[.,]?N(?=[\Wx]|$|{_UNIT}|{_MINOR}|{_MAJOR}))"
    rf"|(?P<c>¢|c€|(?:(?<=N)|(?<=N[ \u00a0\u2009\u202f]))(?:{_MINOR}))|(?P<u>(?<!{_LETTER}){_UNIT})"
    rf"|(?P<m>(?<!{_LETTER})(?:{_MAJOR}))|(?P<x>(?<!{_LETTER}){_WORDS['times']}(?!{_LETTER}))"
    r"|(?P<w>\w+(?:-\w+)*)|(?P<s>[-@/=+%(),:;–—<>≥≤#])"
)
_NEGATIVE_PRICE = re.compile(r"(?<=[@x×*])( ?)\(([$€£]?)(?=N\))|-([$€£])(?=\.?N)")


@lru_cache(4_096)
def _kind_of(group: str, token: str) -> str:
    """Return the letter of a token by the group of `_TOKEN` that found it."""
    if group == "w":
        return next((kind for words, kind in _KINDS_OF_WORDS if words.fullmatch(token)), "w")
    return _KINDS_OF_SIGNS.get(token, token) if group == "s" else "$" if group == "m" else group


_QUANTITIES = (
    # before its unit, with at most one word between, but no rate: "9.7 kWh/day"
    re.compile(r"(?<!\$)(?:(?<!/)|(?=nu[@x]))(?P<number>n)[wUk]?(?P<unit>[ud])(?![/@-][dm]|/[uwUkb])"),
    # behind its unit: "kWh 1,234 x $0.12"
    re.compile(r"(?<![n/@])(?P<unit>u)U?\)?[,=]?(?P<number>n)(?![wUk]?[ud]|[$cm])"),
)
_PRICES = (
    # with a currency or cents, or bare beside "@", "x" or another number; "per 1,000 gallons", "/kW/month"
    re.compile(
        r"(?P<money>\$(?=n)|(?=n[$c]))?(?P<number>n)(?(money)[$c]?|(?:(?<=[und@x]n)|(?=x?n)|(?=[/@]n?u)))"
        r"(?:[/@](?P<bundle>n)?(?P<unit>[ud])(?P<timed>[/@-]?[dm]|/@)?)?"
    ),
)
_BUNDLES = {100: 2, 1_000: 3}
"""The numbers of units that prices are printed for, as powers of ten."""
_BETWEEN = {
    (True, True): re.compile(r"U?(?:\([^()]*\))?\)?,?(?:xn[dm])?[@x/]?"),
    (True, False): re.compile(r"[x@,]?[wU]?,?"),
    (False, True): re.compile(r"[@x]?"),
    (False, False): re.compile(r"x?"),
}
"""By whether the price has a currency, and whether it is behind the quantity.

In the first two lines "412 kWh @ 7.6 ¢", "500 kWh (actual) @ $0.10", "31 kW x 30 days x 0.04 €"; "6.67p/kWh 745.6 kWh".
"""
_NAMED = re.compile(r"nu|.*[,=]n")
"""Number and unit that stand together; else only the amount can prove that they belong together."""
_PART_BEFORE = re.compile(r"(?:[x/]|\([^()]*=)$")
"""Before a quantity that is a part of another: "5 units (1 unit = 748 gal)", "12 lamps x 45 kWh"."""
_NO_USE_BEFORE = re.compile(rf"(?:[bk+<]|[nD]-?|p.*)$|{_PART_BEFORE.pattern}")
_USE_BEHIND = re.compile(r"$|[)=,@(\-$UDn]|x(?!p|n[wk])|[bk]$")
_PRICED_BEHIND = re.compile(r"[@x]\$?n[$c/]?")
_MORE_FACTORS = re.compile(r"\+|x(?:p|n(?!u))")
_PERIOD = re.compile(r"n(?=[dm])|(?<=x)n$")
_MEASURED_NUMBER = re.compile(r"n(?=[u$c]|$)|(?<=[$@x])n|p")


# --- Shapes: what may be a quantity, what may be a price, and how they stand beside each other. ---------------------


@dataclass(slots=True)
class _Part:
    """A quantity or a price in the kinds of a text; `bundles` are the powers of ten of the units that it may be for."""

    kinds: str
    start: int
    end: int
    number: Sequence[_Notation]
    unit: str
    bundles: Sequence[tuple[int, _Notation]]
    has_currency: bool
    is_timed: bool


class _Pair:
    """A quantity in `unit` and a price that may be of it: one unit costs `each` × 10 ** `shift` × that of a period."""

    def __init__(self, many: _Notation, each: _Notation, unit: str, shift: int, period: int, bundle: _Notation) -> None:
        self.many, self.each, self.unit, self.shift, self.period, self.bundle = many, each, unit, shift, period, bundle
        self.quantity, self.price, self.marks = many.place, each.place, {many.mark, each.mark}
        self.mark = _only(self.marks)
        self.scale = 10**shift / abs(many.divisor * each.divisor)
        """Quantity × price is about the product of their wholes and that of the period × `scale`."""

    def is_possible(self, wholes: _Wholes) -> bool:
        quantity, price, bundle = wholes[self.quantity], wholes[self.price], wholes[self.bundle.place]
        is_printed = quantity >= self.many.least and price >= self.each.least
        return is_printed and wholes[self.period] > 0 and bundle == self.bundle.first

    def total(self, wholes: _Wholes) -> float:
        whole = wholes[self.quantity] * wholes[self.price] * wholes[self.period]
        return _json_number(whole, self.many.divisor * self.each.divisor, self.shift)


class _Shape:
    """What is known of a text whatever its digits are; in `text` they are all 0.

    `kinds` has one letter for each token: n number, p percentage, D date, time of day or range, u unit, $ currency,
    c cents, x times, @ at, / per, d days, m months and longer, b bound, k word before a name, U word of use, w other
    word, < sign before a bound. A term is a price in a currency with the first quantity that it is just behind; periods
    are days or months, by which a price may have to be multiplied.
    """

    def __init__(self, shape: bytes, text: str) -> None:
        self.others = bytes({*shape} - {*b"0"})
        self.has_digits_in_units = _CUBIC.search(text.replace("0", "3")) is not None
        outline = _NUMBER.sub(lambda number: "D" if number[0][-1] == "." else "N", text)
        self._outline = _NEGATIVE_PRICE.sub(r"\1\2\3-", outline)
        matches = [*_TOKEN.finditer(self._outline)]
        self._tokens = [match[0] for match in matches]
        self._kinds = kinds = "".join(_kind_of(match.lastgroup or "", match[0]) for match in matches)
        self._places = [self._outline.count("N", 0, match.start()) for match in matches]
        tokens = zip(self._places, self._tokens, kinds, strict=True)
        self._heads = {place: token.partition("N")[0] for place, token, kind in tokens if kind in "np" and "N" in token}
        self._wholes: dict[tuple[int, int], int] = {}
        numbers = (number for number in _NUMBER.finditer(text) if number[0][-1] != ".")
        self._notations = [
            self._notations_of(self._heads.get(place, ""), number[0], text.count("0", 0, number.end()))
            for place, number in enumerate(numbers)
        ]
        self.spans = [(10 ** (text.count("0") - end), 10 ** (end - start)) for start, end in self._wholes]
        languages = {_KNOWN_BY[token] for token in self._tokens if token in _KNOWN_BY}
        self.languages, self.decimals = languages, {LANGUAGES[name]["decimal"] for name in languages}
        measured = [self._notations[place] for place in self._places_of(_MEASURED_NUMBER) & self._heads.keys()]
        # The decimal marks of numbers with one notation whatever their digits are, and the notations of the others.
        self._certain = {ways[0].mark for ways in measured if len(ways) == 1 and not ways[0].least}
        self._uncertain = [ways for ways in measured if len(ways) > 1 or (ways and ways[0].least)]
        is_measured = "u" in kinds or "nd" in kinds
        self._quantities, self._prices = (self._parts(forms) if is_measured else [] for forms in (_QUANTITIES, _PRICES))
        self.numbers = [part.number for part in self._quantities + self._prices]
        self._pair()
        self.settled: _Found | None = None
        """What a text says whatever its digits are; None if they matter."""
        if not (self.numbers or self._uncertain):
            self.settled = _NOTHING, _only(self._certain), False

    def _places_of(self, numbers: re.Pattern[str]) -> set[int]:
        return {self._places[match.start()] for match in numbers.finditer(self._kinds)}

    def _notations_of(self, head: str, printed: str, end: int) -> Sequence[_Notation]:
        """Return every notation of a number; none if no notation prints numbers like this.

        After plain spaces there may be another number: "Tier 2 480 kWh" is 2480 or 480.
        """
        found = []
        for form in _NOTATIONS if len(head + printed) <= _LONGEST_NUMBER else ():
            if match := form.fullmatch(head.lstrip("-−–(") + printed):
                thousands, decimals = match["thousands"], len(match["decimals"] or "")
                mark = match["mark"] or _OTHER.get(thousands, "")
                divisor = 10**decimals if head in {"", ".", ","} else -(10**decimals)
                for space in re.finditer("^| ", printed):
                    start = end - printed.count("0", space.end())
                    place = self._wholes.setdefault((start, end), len(self._wholes))
                    first = 10 ** (end - start - 1)
                    least = first if thousands in _OTHER else 0
                    found.append(_Notation(place, divisor, first, least, thousands, mark))
        return found

    def _parts(self, forms: Sequence[re.Pattern[str]]) -> list[_Part]:
        found = []
        for match in (match for form in forms for match in form.finditer(self._kinds)):
            groups = match.groupdict()
            unit = _unit(self._tokens[match.start("unit")]) if match["unit"] else ""
            bundles = [(0, _ONE)]
            if groups.get("bundle"):
                ways = self._notations[self._places[match.start("bundle")]]
                bundles = [(_BUNDLES[one.first], one) for one in ways if one.divisor == 1 and one.first in _BUNDLES]
            number, has_currency = self._notations[self._places[match.start("number")]], groups.get("money") is not None
            found.append(_Part(match[0], *match.span(), number, unit, bundles, has_currency, bool(groups.get("timed"))))
        return found

    def _pair(self) -> None:
        """Find the pairs that may fit an amount."""
        periods = [-1]
        if "u" in self._kinds:
            found = (one for place in self._places_of(_PERIOD) for one in self._notations[place])
            periods += [one.place for one in found if (one.divisor, one.thousands, one.mark) == (1, "", "")]
        self.pairs: list[_Pair] = []
        charged: dict[int, tuple[_Part, Sequence[_Pair]]] = {}
        for quantity, price in product(self._quantities, self._prices):
            between = self._between(quantity, price)
            shifts = _shifts(quantity, price, between)
            pairs = [
                _Pair(many, each, quantity.unit, shift - power, period, bundle)
                for many, each, shift in product(quantity.number, price.number, shifts)
                for (power, bundle), period in product(price.bundles, periods)
            ]
            self.pairs += pairs
            if shifts and price.has_currency and between is not None and price.start >= quantity.end:
                charged.setdefault(price.start, (quantity, [pair for pair in pairs if pair.period == -1]))
        self.terms = [pairs for _, pairs in charged.values()]
        self._charged = [quantity for quantity, _ in charged.values()] or self._quantities
        self.is_sum = len(charged) > 1
        if self.is_sum and "+" in self._kinds[self._charged[0].end : self._charged[-1].start]:
            self.pairs = []  # no single term is the amount

    def _between(self, quantity: _Part, price: _Part) -> str | None:
        """Return the kinds of tokens between a quantity and the price beside it; None if it is not beside it."""
        is_behind = price.start >= quantity.end
        first, second = (quantity, price) if is_behind else (price, quantity)
        found = _BETWEEN[price.has_currency, is_behind].fullmatch(self._kinds, first.end, second.start)
        return found and found[0]

    @cached_property
    def used(self) -> Sequence[tuple[Sequence[_Notation], str]]:
        """The quantities that are what was used, by the words of the text alone, and their units."""
        languages = self.languages or LANGUAGES
        if "(" in self._heads.values() or any(_NOT_USED[name].search(self._outline) for name in languages):
            return []
        is_reading = any(_METER_READINGS[name].search(self._outline) for name in languages)
        return [
            (one.number, one.unit)
            for one in self._charged
            if self._is_used(one) and (not is_reading or self._kinds.endswith(("=", "U", "U,"), 0, one.start))
        ]

    def _is_used(self, quantity: _Part) -> bool:
        kinds, end = self._kinds, quantity.end
        is_known = quantity.unit not in CAPACITIES or "U" in kinds or _PRICED_BEHIND.match(kinds, end)
        is_ruled_out = not _NAMED.fullmatch(quantity.kinds) or _NO_USE_BEFORE.search(kinds[: quantity.start])
        return bool(is_known and not is_ruled_out and _USE_BEHIND.match(kinds, end))

    @cached_property
    def rates(self) -> Sequence[tuple[_Part, int, str]]:
        """The prices of one unit by the words alone, the power of ten of their currency, their units."""
        found = []
        for price in self._prices:
            is_part = self._kinds[price.start - 1 : price.start] == "+" or _MORE_FACTORS.match(self._kinds, price.end)
            beside = next((one for one in self._quantities if self._between(one, price)), None)
            per = price.unit
            if beside and not per and not _PART_BEFORE.search(self._kinds[: beside.start]):
                per = beside.unit
            if price.has_currency and not price.is_timed and not is_part and per not in ("", _DAYS):
                found.append((price, -2 if "c" in price.kinds else 0, per))
        return found

    def own_mark(self, wholes: _Wholes) -> str:
        """Return the decimal mark of the numbers whose notation cannot be mistaken, if all have the same; else ""."""
        readings = [_readings(ways, wholes) for ways in self._uncertain]
        return _only(self._certain | {ways[0].mark for ways in readings if len(ways) == 1})


def _shifts(quantity: _Part, price: _Part, between: str | None) -> Sequence[int]:
    """Return the powers of ten that a price may have to be multiplied by; none if it is not that of the quantity."""
    power = _power_between(quantity.unit, price.unit or quantity.unit)
    if power is None or (between is None and not (price.has_currency and price.unit)):
        return []
    may_be_minor = not price.has_currency and (between or price.unit)
    return [power - 2] if "c" in price.kinds else [power, power - 2] if may_be_minor else [power]


@lru_cache(1_024)
def _shape(shape: bytes) -> _Shape | None:
    """Return what is known of a text whose digits are all 0; None if it has no numbers."""
    text = shape.decode().lower()
    return _Shape(shape, text) if _NUMBER.search(text) else None


# --- Decisions. -----------------------------------------------------------------------------------------------------


def _read(name: str, amount: float | None, bill_mark: str = "") -> _Found:
    """Read one text: what fits the amount, else what cannot be mistaken.

    `bill_mark` is the decimal mark that other texts of the bill prove, or "".
    """
    text = name.encode()
    shape = _shape(text.translate(_DIGITS_ALIKE)) if len(name) <= _LONGEST_TEXT else None
    if shape is None:
        return _SILENT
    if shape.has_digits_in_units and (plain := _CUBIC.sub("³", name)) != name:
        return _read(plain, amount, bill_mark)
    if shape.settled:
        return shape.settled
    digits = int(text.translate(None, shape.others))
    wholes = [digits // power % size for power, size in shape.spans]
    wholes.append(1)
    expected = abs(amount or 0.0)
    slack = _TOLERANCE * max(expected, 1.0) + 1e-9 if expected else -1.0  # nothing fits an unknown amount, or 0
    fitting = []
    for pair in shape.pairs:
        total = wholes[pair.quantity] * wholes[pair.price] * wholes[pair.period] * pair.scale
        if -slack <= total - expected <= slack and pair.is_possible(wholes):
            fitting.append(pair)
    if fitting:
        return _decided(fitting, shape, wholes, bill_mark)
    if shape.is_sum:
        return _sum(shape.terms, wholes, expected, slack), shape.own_mark(wholes), False
    return _unmistakable(shape, wholes, bill_mark)


def _readings(notations: Sequence[_Notation], wholes: _Wholes) -> Sequence[_Notation]:
    """Return the notations that a number with these digits may have."""
    return [one for one in notations if wholes[one.place] >= one.least]


def _decided(pairs: Sequence[_Pair], shape: _Shape, wholes: _Wholes, bill_mark: str) -> _Found:
    """Choose among pairs that fit: by the notation of others, by usual prices, by the language; else none."""
    if len(pairs) > 1:
        pairs = _chosen(pairs, wholes, shape.own_mark(wholes) or bill_mark, shape.decimals)
    if not pairs:
        return _NOTHING, shape.own_mark(wholes), True
    pair = pairs[0]
    quantity = _json_number(wholes[pair.quantity], pair.many.divisor)
    price = _json_number(wholes[pair.price] * wholes[pair.period], pair.each.divisor, pair.shift)
    return _new(Reading, (quantity, pair.unit, price)), pair.mark or shape.own_mark(wholes), False


def _chosen(pairs: Sequence[_Pair], wholes: _Wholes, mark: str, decimals: set[str]) -> Sequence[_Pair]:
    """Return the pairs that are left when all say the same; none if they still differ."""
    tests: Sequence[Callable[[_Pair], bool]] = (
        lambda pair: not mark or pair.marks <= {"", mark},
        lambda pair: abs(pair.each.value(wholes)) < _MOST or (pair.shift >= 0 and pair.unit not in SMALL),
        lambda pair: len(decimals) == 1 and pair.marks <= {"", *decimals},
        lambda _: False,
    )
    for test in tests:
        if len({(pair.many.value(wholes), pair.unit, pair.total(wholes)) for pair in pairs}) == 1:
            return pairs
        pairs = [pair for pair in pairs if test(pair)] or pairs
    return []


def _sum(terms: Sequence[Sequence[_Pair]], wholes: _Wholes, expected: float, slack: float) -> Reading:
    """Return the sum of several quantities, if quantities × prices add up to what is expected."""
    units, sums = {pair.unit for term in terms for pair in term}, set()
    for mark in ".," if len(units) == 1 else "":
        choices = [[pair for pair in term if pair.marks <= {"", mark} and pair.is_possible(wholes)] for term in terms]
        for chosen in islice(product(*choices), _MOST_CHOICES):
            if abs(abs(sum(pair.total(wholes) for pair in chosen)) - expected) <= slack:
                sums.add(sum(wholes[pair.quantity] * (_FINEST // pair.many.divisor) for pair in chosen))
    return Reading(_json_number(sums.pop(), _FINEST), units.pop()) if len(sums) == 1 else _NOTHING


def _unmistakable(shape: _Shape, wholes: _Wholes, bill_mark: str) -> _Found:
    """Return quantity and price that need no amount to be right."""
    own_mark = shape.own_mark(wholes)
    mark = own_mark or bill_mark
    plain = {(_quantity(_readings(number, wholes), wholes, shape.languages, mark), unit) for number, unit in shape.used}
    marks = {mark} if mark else shape.decimals
    rates = {
        (wholes[one.place], one.divisor, shift - power, per)
        for price, shift, per in shape.rates
        for one in _prices(_readings(price.number, wholes), wholes, marks, is_minor=shift < 0)
        for power, bundle in price.bundles
        if wholes[bundle.place] == bundle.first
    }
    quantity, unit = plain.pop() if len(plain) == 1 else (None, None)
    numerator, divisor, shift, per = rates.pop() if len(rates) == 1 else (0, 0, 0, None)
    if quantity is None:
        unit = per
    power = _power_between(unit, per) if unit and per else 0
    if power is None:
        return _NOTHING, own_mark, False
    is_open = any(len(_readings(number, wholes)) > 1 for number in shape.numbers)
    return Reading(quantity, unit, _json_number(numerator, divisor, shift + power) if per else None), own_mark, is_open


def _quantity(readings: Sequence[_Notation], wholes: _Wholes, languages: set[str], mark: str) -> float | None:
    """Return a quantity if its notation cannot be mistaken."""
    if readings and readings[0].thousands == " ":
        readings = readings[:1] if languages and "en" not in languages else []
    elif len(readings) > 1:
        marks = {mark, "." if languages == {"en"} and readings[0].thousands == "," else ""} - {""}
        readings = [one for one in readings if {one.mark} == marks]
    return readings[0].value(wholes) if readings else None


def _prices(readings: Sequence[_Notation], wholes: _Wholes, marks: set[str], *, is_minor: bool) -> Sequence[_Notation]:
    """Return the notation of a price if it cannot be mistaken."""
    if len(readings) > 1:
        usual = [one for one in readings if is_minor and abs(one.value(wholes)) < _MOST]
        readings = usual or [one for one in readings if marks == {one.mark} and not one.thousands]
    return readings if len(readings) == 1 else []
