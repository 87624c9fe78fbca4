"""Read quantity, unit and unit price from the texts of charges. Pure.

The provider sends one text a line, in no promised form (API notes, section 4.2). The line's own amount decides what
its numbers mean:

    "Arbeitspreis 2.847 kWh x 0,32 EUR/kWh", 911.04
      ├─ numbers ──── 2.847 and 0,32          2847 or 2.847, and 0.32
      ├─ outline ──── arbeitspreis N kwh x N eur/kwh
      ├─ tokens ───── w n u x n $ / u         the kind of each as one letter
      ├─ pairings ─── N kwh, N eur/kwh        a quantity, and a price that may be of it
      └─ decision ─── 2847 × 0.32 = 911.04    the one reading that fits the amount

Where no reading fits, or several do, a number is read only if its notation cannot be mistaken, by itself or by other
numbers of the text or the bill; and a quantity only if the words around it do not say that it is something else.

Units, currencies and words are in `charge_words.toml`.
"""

# ruff: noqa: RUF001, RUF002 - the look-alikes of hyphen, x and apostrophe are what bills print

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import cached_property, lru_cache
from importlib import resources
from itertools import islice, product, starmap
from math import inf
from operator import itemgetter
from typing import NamedTuple

_LONGEST_TEXT = 500
_LONGEST_NUMBER = 24
_LONGEST_ABBREVIATION = 2
_MOST_CHOICES = 1_000  # readings of a sum that are tried
_TOLERANCE = 0.005
"""A reading fits if quantity × price differs from the amount by half a cent or 0.5 %, whichever is more."""
_MOST = 1_000  # prices in cents are below it, and those of one of the `SMALL` units: it decides where two readings fit
_SHORT = 12  # a number of fewer characters is a whole one if it is one as a float
_WHOLE_BITS = 63  # larger whole numbers become floats: the writer of JSON takes no others

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
_Found = tuple[Reading, str, bool]
"""A reading, the decimal mark that the text proves ("" for none), whether knowing the mark could tell more."""
_SILENT: _Found = (_NOTHING, "", False)


def read_charges(charges: Sequence[Charge]) -> list[Reading]:
    """Read the lines of one bill, in their order.

    Lines that prove which decimal mark the bill uses settle the numbers of the other lines.
    """
    found = [*starmap(_read, charges)]
    if any(map(itemgetter(2), found)):
        mark = _only({mark for _, mark, _ in found})
        both = zip(charges, found, strict=True)
        return [_read(*charge, mark)[0] if is_open else reading for charge, (reading, _, is_open) in both]
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


# --- Numbers: they are cut out of the text, and each is read in every way that its notation allows. -----------------

_NUMBER = re.compile(
    r"([0-9](?<![\w^].)(?:"  # a digit first: the search skips to the next one
    r"[0-9]?\.[0-9]{1,2}\.(?![0-9])"  # "31.12."
    r"|(?<!\w-.)(?<![/:.,].)[0-9]{0,2}(?:[ \u00a0\u2009\u202f][0-9]{3})+(?:[.,][0-9]+)?(?![.,]?[0-9])"
    r"|[0-9]*(?:[.,'’][0-9]+)*))"
)
_ONE_MARK = re.compile(r"(\d*)([.,])(\d+)")
_GROUPED = re.compile(r"[1-9]\d{0,2}([.,'])\d{3}(?:\1\d{3})*(?:(?!\1)([.,])\d+)?")
_THOUSANDS = 3
_OTHER = {".": ",", ",": ".", "'": ""}


class _Number(NamedTuple):
    """One reading of a number: its digits as Python writes them, as a JSON number, the decimal mark that it implies."""

    digits: str
    value: float
    mark: str


@lru_cache(4_096)
def _readings(printed: str) -> Sequence[_Number]:
    """Return every reading of a number as printed; none if no notation prints numbers like this.

    After plain spaces there may be another number: "Tier 2 480 kWh" is 2480 or 480.
    """
    found: list[tuple[str, str]] = []
    if printed[0] == "-":
        found = [("-" + one.digits, one.mark) for one in _readings(printed[1:])]
    elif printed.isdecimal():
        found = [(printed, "")]
    elif match := _ONE_MARK.fullmatch(printed):
        whole, mark, decimals = match.groups()
        found = [(f"{whole}.{decimals}", mark)]
        if len(decimals) == _THOUSANDS and 0 < len(whole) <= _THOUSANDS and whole[0] != "0":
            found.insert(0, (whole + decimals, _OTHER[mark]))
    elif match := _GROUPED.fullmatch(plain := printed.replace("’", "'")):
        found = [(plain.replace(match[1], "").replace(",", "."), match[2] or _OTHER[match[1]])]
    elif len(groups := printed.split()) > 1 and printed[0].isdecimal():
        starts = range(len(groups) if " " in printed else 1)
        found = [("".join(groups[start:]).replace(",", "."), _only({*printed} & {".", ","})) for start in starts]
    return [_Number(digits, _json_number(digits), mark) for digits, mark in found if len(digits) <= _LONGEST_NUMBER]


def _only(marks: set[str]) -> str:
    """Return the only mark that numbers imply; "" if they imply none or both."""
    found = "".join(marks)
    return found if len(found) == 1 else ""


def _json_number(digits: str, shift: int = 0, factor: int = 1) -> float:
    """Return a number times 10 ** `shift` × `factor`: exactly, then rounded; whole ones as int."""
    if len(digits) < _SHORT and factor == 1:  # the same in a third of the instructions
        value = float(f"{digits}e{shift}" if shift else digits)
        return int(value) if value.is_integer() else value
    number, divisor = (Decimal(digits).scaleb(shift) * factor).as_integer_ratio()
    return number if divisor == 1 and number.bit_length() <= _WHOLE_BITS else number / divisor


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


# --- Forms: what may be a quantity, what may be a price, and how they stand beside each other. ----------------------

_QUANTITIES = (
    # before its unit, with at most one word between, but no rate: "9.7 kWh/day"
    re.compile(r"(?<!\$)(?:(?<!/)|(?=nu[@x]))(?P<number>n)[wUk]?(?P<unit>[ud])(?![/@-][dm]|/[uwUkb])"),
    # behind its unit: "kWh 1,234 x $0.12"
    re.compile(r"(?<![n/@])(?P<unit>u)U?\)?[,=]?(?P<number>n)(?![wUk]?[ud]|[$cm])"),
)
_PRICE = re.compile(
    # with a currency or cents, or bare beside "@", "x" or another number; "per 1,000 gallons", "/kW/month"
    r"(?P<money>\$(?=n)|(?=n[$c]))?(?P<number>n)(?(money)[$c]?|(?:(?<=[und@x]n)|(?=x?n)|(?=[/@]n?u)))"
    r"(?:[/@](?P<bundle>n)?(?P<per>[ud])(?P<timed>[/@-]?[dm]|/@)?)?"
)
_BUNDLES = {"100": 2, "1000": 3}
"""The numbers of units that prices are printed for, as powers of ten."""
_BETWEEN = {
    (False, True): re.compile(r"U?(?:\([^()]*\))?\)?,?(?:xn[dm])?[@x/]?"),
    (False, False): re.compile(r"[x@,]?[wU]?,?"),
    (True, True): re.compile(r"[@x]?"),
    (True, False): re.compile(r"x?"),
}
"""By whether the price is bare, and whether it is behind the quantity.

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


class _Pairing(NamedTuple):
    """A quantity in `unit` and a price that may be of it: one unit costs price × 10 ** shift × factor.

    Numbers are given by their places in the text; `bundle` is that of the number of units that the price is for.
    """

    quantity: int
    unit: str
    price: int
    bundle: int | None
    scales: Sequence[tuple[int, int]]


class _Form:
    """What the words of a text say about its numbers, whatever these are; each is given by its place.

    `kinds` has one letter for each token: n number, p percentage, D date, time of day or range, u unit, $ currency,
    c cents, x times, @ at, / per, d days, m months and longer, b bound, k word before a name, U word of use, w other
    word, < sign before a bound. A term is a price in a currency with the first quantity that it is just behind; periods
    are days or months, by which a price may have to be multiplied.
    """

    def __init__(self, outline: str) -> None:
        self._outline = _NEGATIVE_PRICE.sub(r"\1\2\3-", outline)
        matches = [*_TOKEN.finditer(self._outline)]
        self._tokens = [match[0] for match in matches]
        self._places = [len(re.findall("[ND]", self._outline[: match.start()])) for match in matches]
        self._kinds = kinds = "".join(_kind_of(match.lastgroup or "", match[0]) for match in matches)
        languages = {_KNOWN_BY[token] for token in self._tokens if token in _KNOWN_BY}
        self.languages, self.decimals = languages, {LANGUAGES[name]["decimal"] for name in languages}
        numbers = [match for match in re.finditer("[np]", kinds) if "N" in self._tokens[match.start()]]
        heads = {self._place(match): self._tokens[match.start()].partition("N")[0] for match in numbers}
        self.signs = [(place, re.sub("[-−–(]", "-", head)) for place, head in heads.items() if head]
        self._is_bracketed = "(" in heads.values()
        self.measured = {self._place(match) for match in _MEASURED_NUMBER.finditer(kinds)} & heads.keys()
        self.periods = [self._place(match) for match in _PERIOD.finditer(kinds) if "u" in kinds]
        is_measured = "u" in kinds or "nd" in kinds
        self._quantities = [match for form in _QUANTITIES for match in form.finditer(kinds) if is_measured]
        self._prices = [match for match in _PRICE.finditer(kinds) if is_measured]
        self.numbers = {self._place(match, "number") for match in self._quantities + self._prices}
        self.pairings: list[_Pairing] = []
        charged: dict[int, tuple[re.Match[str], _Pairing]] = {}
        for quantity, price in product(self._quantities, self._prices):
            between = self._between(quantity, price)
            if pairing := self._pairing(quantity, price, between):
                self.pairings.append(pairing)
                if price["money"] is not None and between is not None and price.start() >= quantity.end():
                    charged.setdefault(pairing.price, (quantity, pairing))
        self.terms = [pairing for _, pairing in charged.values()]
        self._charged = [quantity for quantity, _ in charged.values()] or self._quantities
        self.is_added = len(charged) > 1 and "+" in kinds[self._charged[0].end() : self._charged[-1].start()]

    def _place(self, match: re.Match[str], group: str | int = 0) -> int:
        return self._places[match.start(group)]

    def _unit(self, match: re.Match[str], group: str = "unit") -> str:
        return _unit(self._tokens[match.start(group)]) if match[group] else ""

    def _between(self, quantity: re.Match[str], price: re.Match[str]) -> str | None:
        """Return the kinds of tokens between a quantity and the price beside it; None if it is not beside it."""
        is_behind = price.start() >= quantity.end()
        first, second = (quantity, price) if is_behind else (price, quantity)
        found = _BETWEEN[price["money"] is None, is_behind].fullmatch(self._kinds, first.end(), second.start())
        return found and found[0]

    def _pairing(self, quantity: re.Match[str], price: re.Match[str], between: str | None) -> _Pairing | None:
        unit, per, is_bare = self._unit(quantity), self._unit(price, "per"), price["money"] is None
        power = _power_between(unit, per or unit)
        if power is None or (between is None and (is_bare or not per)):
            return None
        may_be_minor = is_bare and (between or per)
        shifts = [power - 2] if "c" in price[0] else [power, power - 2] if may_be_minor else [power]
        places = self._place(quantity, "number"), unit, self._place(price, "number"), self._bundle(price)
        return _Pairing(*places, [(shift, 1) for shift in shifts])

    def _bundle(self, price: re.Match[str]) -> int | None:
        return self._place(price, "bundle") if price["bundle"] else None

    @cached_property
    def used(self) -> Sequence[tuple[int, str]]:
        """The quantities that are what was used, by the words of the text alone, and their units."""
        languages = self.languages or LANGUAGES
        if self._is_bracketed or any(_NOT_USED[name].search(self._outline) for name in languages):
            return []
        is_reading = any(_METER_READINGS[name].search(self._outline) for name in languages)
        return [
            (self._place(one, "number"), self._unit(one))
            for one in self._charged
            if self._is_used(one) and (not is_reading or self._kinds.endswith(("=", "U", "U,"), 0, one.start()))
        ]

    def _is_used(self, quantity: re.Match[str]) -> bool:
        kinds, end = self._kinds, quantity.end()
        is_known = self._unit(quantity) not in CAPACITIES or "U" in kinds or _PRICED_BEHIND.match(kinds, end)
        is_ruled_out = not _NAMED.fullmatch(quantity[0]) or _NO_USE_BEFORE.search(kinds[: quantity.start()])
        return bool(is_known and not is_ruled_out and _USE_BEHIND.match(kinds, end))

    @cached_property
    def rates(self) -> Sequence[tuple[int, int | None, int, str]]:
        """The prices of one unit by the words alone: number, bundle, power of ten, unit."""
        found = []
        for price in self._prices:
            start, end = price.span()
            is_part = self._kinds[start - 1 : start] == "+" or _MORE_FACTORS.match(self._kinds, end)
            beside = next((one for one in self._quantities if self._between(one, price)), None)
            per = self._unit(price, "per")
            if beside and not per and not _PART_BEFORE.search(self._kinds[: beside.start()]):
                per = self._unit(beside)
            if price["money"] is not None and not price["timed"] and not is_part and per not in ("", _DAYS):
                power = -2 if "c" in price[0] else 0
                found.append((self._place(price, "number"), self._bundle(price), power, per))
        return found


_form = lru_cache(256)(_Form)  # bills have the same words every month: 5 µs a text instead of 40

# --- Decisions. -----------------------------------------------------------------------------------------------------

_Pair = tuple[_Number, str, _Number, int, int, float]
"""A reading of a quantity, its unit, a reading of its price, the power of ten and the factor of that, their product."""


def _read(name: str, amount: float | None, bill_mark: str = "") -> _Found:
    """Read one text: what fits the amount, else what cannot be mistaken.

    `bill_mark` is the decimal mark that other texts of the bill prove, or "".
    """
    pieces = _NUMBER.split(name.lower())
    if len(pieces) == 1 or len(name) > _LONGEST_TEXT:
        return _SILENT
    numbers = pieces[1::2]
    pieces[1::2] = ["D" if number[-1] == "." else "N" for number in numbers]
    form = _form("".join(pieces))
    for place, sign in form.signs:
        numbers[place] = sign + numbers[place]
    if not form.numbers:
        return _NOTHING, _own_mark(form, numbers), False
    expected = abs(amount or 0.0)
    slack = max(_TOLERANCE, _TOLERANCE * expected) + 1e-9
    span = (expected - slack, expected + slack) if expected else (1.0, 0.0)
    if not form.is_added:
        if fitting := _pairs(form.pairings, numbers, span, form.periods):
            return _decided(fitting, form, numbers, bill_mark)
        if len(form.terms) <= 1:
            return _unmistakable(form, numbers, bill_mark)
    return _sum(form.terms, numbers, span), _own_mark(form, numbers), False


def _own_mark(form: _Form, numbers: Sequence[str]) -> str:
    """Return the decimal mark of the numbers whose notation cannot be mistaken, if all have the same; else ""."""
    return _only({found[0].mark for place in form.measured if len(found := _readings(numbers[place])) == 1})


def _pairs(
    pairings: Sequence[_Pairing], numbers: Sequence[str], span: tuple[float, float], periods: Sequence[int] = ()
) -> Sequence[_Pair]:
    """Return each reading of each quantity with each of its price, where their product is in a span, sign apart."""
    least, most = span
    return [
        (many, unit, each, shift, factor, total)
        for quantity, unit, price, bundle, scales in pairings
        for many in _readings(numbers[quantity])
        for each in _readings(numbers[price])
        for shift, factor in (scales if bundle is None and not periods else _scales(scales, bundle, periods, numbers))
        if least <= abs(total := many.value * each.value * 10.0**shift * factor) <= most
    ]


def _scales(
    scales: Sequence[tuple[int, int]], bundle: int | None, periods: Sequence[int], numbers: Sequence[str]
) -> Sequence[tuple[int, int]]:
    """Take into account that a price is for a bundle of units, and may be for one day or month of several."""
    powers = [0] if bundle is None else [_BUNDLES.get(one.digits) for one in _readings(numbers[bundle])]
    factors = {1, *(int(numbers[place]) for place in periods if numbers[place].isdecimal())} - {0}
    return [
        (shift - power, factor) for (shift, _), power, factor in product(scales, powers, factors) if power is not None
    ]


def _decided(pairs: Sequence[_Pair], form: _Form, numbers: Sequence[str], bill_mark: str) -> _Found:
    """Choose among pairs that fit: by the notation of others, by usual prices, by the language; else none."""
    if len(pairs) > 1:
        pairs = _chosen(pairs, _own_mark(form, numbers) or bill_mark, form.decimals)
    if not pairs:
        return _NOTHING, _own_mark(form, numbers), True
    many, unit, each, shift, factor, _ = pairs[0]
    price = _json_number(each.digits, shift, factor) if shift or factor > 1 else each.value
    return Reading(many.value, unit, price), _only({many.mark, each.mark}) or _own_mark(form, numbers), False


def _chosen(pairs: Sequence[_Pair], mark: str, decimals: set[str]) -> Sequence[_Pair]:
    """Return the pairs that are left when all say the same; none if they still differ."""
    tests: Sequence[Callable[..., bool]] = (
        lambda many, _unit, each, *_: not mark or {many.mark, each.mark} <= {"", mark},
        lambda _, unit, each, shift, *__: abs(each.value) < _MOST or (shift >= 0 and unit not in SMALL),
        lambda many, _unit, each, *_: len(decimals) == 1 and {many.mark, each.mark} <= {"", *decimals},
        lambda *_: False,
    )
    for test in tests:
        if len({(many.value, unit, total) for many, unit, *_, total in pairs}) == 1:
            return pairs
        pairs = [pair for pair in pairs if test(*pair)] or pairs
    return []


def _sum(terms: Sequence[_Pairing], numbers: Sequence[str], span: tuple[float, float]) -> Reading:
    """Return the sum of several quantities, if quantities × prices add up to a total in a span."""
    sums: set[float] = set()
    units = {term.unit for term in terms}
    for mark in ".," if len(units) == 1 else "":
        pairs = [_pairs([term], numbers, (0.0, inf)) for term in terms]
        choices = [[one for one in found if {one[0].mark, one[2].mark} <= {"", mark}] for found in pairs]
        for chosen in islice(product(*choices), _MOST_CHOICES):
            if span[0] <= abs(sum(total for *_, total in chosen)) <= span[1]:
                sums.add(_json_number(str(sum((Decimal(many.digits) for many, *_ in chosen), Decimal(0)))))
    return Reading(sums.pop(), units.pop()) if len(sums) == 1 else _NOTHING


def _unmistakable(form: _Form, numbers: Sequence[str], bill_mark: str) -> _Found:
    """Return quantity and price that need no amount to be right."""
    own_mark = _own_mark(form, numbers)
    mark = own_mark or bill_mark
    plain = {(_quantity(numbers[place], form.languages, mark), unit) for place, unit in form.used}
    rates = {
        (digits, shift, per)
        for place, bundle, power, per in form.rates
        for digits in _prices(numbers[place], {mark} if mark else form.decimals, is_minor=power < 0)
        for shift, _ in _scales([(power, 1)], bundle, (), numbers)
    }
    quantity, unit = plain.pop() if len(plain) == 1 else (None, None)
    digits, shift, per = rates.pop() if len(rates) == 1 else ("", 0, None)
    if quantity is None:
        unit = per
    power = _power_between(unit, per) if unit and per else 0
    if power is None:
        return _NOTHING, own_mark, False
    price = _json_number(digits, shift + power) if digits else None
    is_open = any(len(_readings(numbers[place])) > 1 for place in form.numbers)
    return Reading(quantity, unit, price), own_mark, is_open


def _quantity(printed: str, languages: set[str], mark: str) -> float | None:
    """Return a quantity if its notation cannot be mistaken."""
    readings = _readings(printed)
    if " " in printed:
        readings = readings[:1] if languages and "en" not in languages else []
    elif len(readings) > 1:
        marks = {mark, "." if languages == {"en"} and "," in printed else ""} - {""}
        readings = [one for one in readings if {one.mark} == marks]
    return readings[0].value if readings else None


def _prices(printed: str, marks: set[str], *, is_minor: bool) -> Sequence[str]:
    """Return the digits of a price if its notation cannot be mistaken."""
    readings = _readings(printed)
    if len(readings) > 1:
        usual = [one for one in readings if is_minor and abs(one.value) < _MOST]
        readings = usual or [one for one in readings if marks == {one.mark} and one.mark in printed]
    return [one.digits for one in readings] if len(readings) == 1 else []
