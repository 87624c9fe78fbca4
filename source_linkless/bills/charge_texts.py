"""Read quantity, unit and unit price from the texts of charges. Pure.

The provider sends one text a line, in no promised form (API notes, section 4.2). The line's own amount decides what
its numbers mean:

    "Arbeitspreis 2.847 kWh x 0,32 EUR/kWh", 911.04
      ├─ tokens ───── w n u x n $ / u         the kind of each as one letter; the words are in `charge_words`
      ├─ quantities ─ 2.847 kWh               2847 or 2.847
      ├─ prices ───── 0,32 EUR/kWh            0.32
      └─ pairs ────── 2847 × 0.32 = 911.04    the one reading that fits the amount

Where no reading fits, or several do, a number is read only if its notation cannot be mistaken, by itself or by other
numbers of the text or the bill; and a quantity only if the words around it do not say that it is something else.
"""

# ruff: noqa: RUF001, RUF002 - the look-alikes of hyphen, x and apostrophe are what bills print

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from itertools import islice, product
from typing import NamedTuple

from source_linkless.bills.charge_words import CAPACITIES, DAYS, LANGUAGES, MAJOR, MINOR, SMALL, TIMES, UNITS

_LONGEST_TEXT = 500
_LONGEST_NUMBER = 24
_MOST_CHOICES = 1_000
"""Readings of a sum that are tried."""
_TOLERANCE = 0.005
"""A reading fits if quantity × price differs from the amount by half a cent or 0.5 %, whichever is more."""
_MOST = 1_000
"""Prices in cents are below it, and those of one of the `SMALL` units: it decides where two readings fit."""
_SHORT = 12
"""A number of fewer characters is a whole one if it is one as a float."""
_WHOLE_BITS = 63
"""Larger whole numbers become floats: the writer of JSON takes no others."""


Charge = tuple[str, float | None]
"""A line of a bill: its text, and its amount in the currency of the bill if that is known."""


class Reading(NamedTuple):
    """What a text says: a quantity in `unit`, and the price of one `unit` in the currency of the bill, never in cents.

    Each is None where the text does not settle it; `unit` is None if both others are. Whole numbers are int.
    """

    quantity: float | None = None
    unit: str | None = None
    unit_price: float | None = None


class _Found(NamedTuple):
    """A reading, the decimal mark that the text proves ("" for none), whether knowing the mark could tell more."""

    reading: Reading = Reading()
    mark: str = ""
    is_open: bool = False


_NOTHING = _Found()


def read_charges(charges: Sequence[Charge]) -> list[Reading]:
    """Read the lines of one bill, in their order.

    Lines that prove which decimal mark the bill uses settle the numbers of the other lines.
    """
    found = [_read(name, amount or 0.0, "") if _DIGIT.search(name) else _NOTHING for name, amount in charges]
    if any(one.is_open for one in found):
        marks = {one.mark for one in found} - {""}
        mark = marks.pop() if len(marks) == 1 else ""
        texts = zip(charges, found, strict=True)
        found = [_read(name, amount or 0.0, mark) if one.is_open else one for (name, amount), one in texts]
    return [one.reading for one in found]


def _read(name: str, amount: float, mark: str) -> _Found:
    """Read one text; `mark` is the decimal mark that other texts of the bill prove, or ""."""
    if len(name) > _LONGEST_TEXT:
        return _NOTHING
    return read_common_form(name, amount) or read_any_form(name, amount, mark)


# --- Numbers: every reading that the notation allows. ---------------------------------------------------------------


class _Number(NamedTuple):
    """One reading of a number: its digits as Python writes them, its value, the decimal mark that it implies or ""."""

    digits: str
    value: float
    mark: str


_SPACES = re.compile("[ \u00a0\u2009\u202f]")
_GROUP = 3
_OTHER = {".": ",", ",": "."}
_ONE_MARK = re.compile(r"(\d*)([.,])(\d+)")
_APOSTROPHES = re.compile(r"[1-9]\d{0,2}(?:'\d{3})+(?:[.,]\d+)?")
_THOUSANDS = re.compile(r"[1-9]\d{0,2}([.,])\d{3}(?:\1\d{3})+")
_THOUSANDS_AND_DECIMALS = re.compile(r"[1-9]\d{0,2}([.,])\d{3}(?:\1\d{3})*(?!\1)([.,])\d+")


@lru_cache(4_096)
def _readings(printed: str) -> Sequence[_Number]:
    """Return every reading of a number as printed; none if no notation prints numbers like this."""
    if printed.isdecimal():
        return [_Number(printed, float(printed), "")]
    if one_mark := _ONE_MARK.fullmatch(printed):
        return _with_one_mark(*one_mark.groups())
    if printed[0] in "-−–":
        return [_Number(f"-{digits}", -value, mark) for digits, value, mark in _readings(printed[1:])]
    if len(groups := _SPACES.split(printed)) > 1:
        return _with_spaces(groups, is_one=" " not in printed)
    return _with_thousands(printed.replace("’", "'"))


def _with_one_mark(whole: str, mark: str, decimals: str) -> Sequence[_Number]:
    """Return the number with decimals; before it, if they are three digits, the whole number of thousands."""
    digits = f"{whole}.{decimals}"
    number = _Number(digits, float(digits), mark)
    if len(decimals) != _GROUP or not 0 < len(whole) <= _GROUP or whole[0] == "0":
        return [number]
    return [_Number(whole + decimals, float(whole + decimals), _OTHER[mark]), number]


def _with_spaces(groups: Sequence[str], *, is_one: bool) -> Sequence[_Number]:
    """Return the number; and after plain spaces what may stand behind another one: 480 in "Tier 2 480 kWh"."""
    return [_number("".join(groups[first:])) for first in range(1 if is_one else len(groups))]


def _with_thousands(printed: str) -> Sequence[_Number]:
    """Return the number whose thousands are divided by apostrophes or by a mark that does not divide decimals."""
    if _APOSTROPHES.fullmatch(printed):
        return [_number(printed.replace("'", ""))]
    if thousands := _THOUSANDS.fullmatch(printed):
        return [_number(printed.replace(thousands[1], ""))._replace(mark=_OTHER[thousands[1]])]
    both = _THOUSANDS_AND_DECIMALS.fullmatch(printed)
    return [_number(printed.replace(both[1], ""))] if both else []


def _number(digits: str) -> _Number:
    plain = digits.replace(",", ".")
    return _Number(plain, float(plain), "," if "," in digits else "." if "." in digits else "")


def _json_number(digits: str, shift: int = 0, bundle: int = 1, periods: int = 1) -> float:
    """Return a number times 10 to the power of `shift` and `periods`, divided by `bundle`: exactly, then rounded."""
    if len(digits) < _SHORT and bundle == periods == 1:
        value = float(f"{digits}e{shift}" if shift else digits)
        return int(value) if value.is_integer() else value
    exact = Decimal(digits).scaleb(shift) / bundle * periods
    whole = int(exact)
    return whole if whole == exact and whole.bit_length() <= _WHOLE_BITS else float(exact)


def _fits(total: float, amount: float) -> bool:
    expected = abs(amount)
    return expected > 0 and abs(abs(total) - expected) <= max(_TOLERANCE, _TOLERANCE * expected) + 1e-9


# --- Units. ---------------------------------------------------------------------------------------------------------

_ANY_UNIT = "|".join(spellings for spellings, _, _ in UNITS.values())
_UNIT = rf"(?<![^\W\d_])(?:{_ANY_UNIT})(?![\w³²^])"


@lru_cache(1_024)
def _unit(spelling: str) -> str:
    """Return the name of a unit, in lower case, or of a word for days."""
    return next((unit for unit, row in UNITS.items() if re.fullmatch(row[0], spelling)), DAYS)


@lru_cache(1_024)
def _power_between(unit: str, per: str) -> int | None:
    """Return the power of ten by which one `unit` is more than one `per`; None if they measure different things."""
    if unit == per:
        return 0
    if DAYS in (unit, per) or UNITS[unit][1] != UNITS[per][1]:
        return None
    return UNITS[unit][2] - UNITS[per][2]


# --- The form that most lines have; what it leaves goes through the tokens, which would give the same. ---------------

_DIGIT = re.compile(r"\d")
_MORE = r"[\d.,]{0,15}"
_COMMON_FORM = re.compile(
    rf"(?:\D* )?(?P<many>\d{_MORE}) ?(?P<unit>{_ANY_UNIT}) ?(?:[@x×]|at) ?(?:[$€£] ?(?P<major>\d?{_MORE}\d)"
    rf"|(?P<minor>\d{_MORE}) ?[¢cp])(?: ?(?:/|per ) ?(?P<per>{_ANY_UNIT}))?"
)


def read_common_form(name: str, amount: float) -> _Found | None:
    """Read "Energy 1,234 kWh @ $0.12/kWh" where exactly one reading fits the amount."""
    match = _COMMON_FORM.fullmatch(name.lower())
    if match is None:
        return None
    many, spelling, major, minor, per = match.groups()
    unit = _unit(spelling)
    power = _power_between(unit, _unit(per)) if per else 0
    if power is None:
        return None
    shift = power if major else power - 2
    scale = 10.0**shift
    fitting = [
        (quantity, price)
        for quantity in _readings(many)
        for price in _readings(major or minor)
        if _fits(quantity.value * price.value * scale, amount)
    ]
    if len(fitting) != 1:
        return None
    ((quantity, price),) = fitting
    reading = Reading(_json_number(quantity.digits), unit, _json_number(price.digits, shift))
    marks = quantity.mark + price.mark
    return _Found(reading, "" if marks in (".,", ",.") else marks[:1])


# --- Tokens: each has a kind of one letter, so that regular expressions over the kinds find the forms. --------------

_DIGITS = r"(?>\d{1,3}(?:[ \u00a0\u2009\u202f]\d{3})+(?:[.,]\d+)?(?![.,]?\d)|\d+(?:[.,'’]\d+)*|[.,]\d+)"
_TOKEN = re.compile(
    # dates, times of day, fractions, ranges, "301+"
    r"(?P<D>\d{4}-\d\d-\d\d|\d{1,2}([./])\d{1,2}\2(?:\d{4}|\d\d)(?!\d)|\d{1,2}\.\d{1,2}\.(?!\d)|\d+/\d+|\d{1,2}:\d\d"
    r"|\d{1,2} ?[ap]\.?m\b\.?|\d[\d.,]*[-–]\d[\d.,]*|\d+\+)"
    rf"|(?P<p>{_DIGITS} ?%)"
    rf"|(?P<n>(?<![\w.,/])(?:(?<!\d )[-−–])?{_DIGITS}(?=[\Wx]|$|(?:{_ANY_UNIT})(?![\w³²^])|{MINOR}|{MAJOR}))"
    rf"|(?P<c>¢|c€|(?:(?<=\d)|(?<=\d[ \u00a0\u2009\u202f]))(?:{MINOR}))"
    rf"|(?P<u>{_UNIT})"
    rf"|(?P<m>(?<![^\W\d_])(?:{MAJOR}))"
    rf"|(?P<x>(?<![^\W\d_]){TIMES}(?![^\W\d_]))"
    r"|(?P<w>\w+(?:-\w+)*)"
    r"|(?P<s>[-@/=+%(),:;–—<>≥≤#])"
)
_KINDS_OF_SIGNS = {":": ",", ";": ",", "–": "-", "—": "-", "%": "p", ">": "<", "≥": "<", "≤": "<", "#": "<"}
_KINDS_OF_WORDS = {"at": "@", "per": "/", "days": "d", "longer": "m", "bounds": "b", "numbered": "k", "used": "U"}
_WORDS = [
    (re.compile("|".join(language.pattern(field) for language in LANGUAGES.values())), kind)
    for field, kind in _KINDS_OF_WORDS.items()
]
_MEASURED_NUMBER = re.compile(r"n(?=[u$c]|$)|(?<=[$@x])n|p")
_NEGATIVE_PRICE = re.compile(r"(?<=[@x×*])( ?)\(([$€£]?)(?=[\d.,]+\))|-([$€£])(?=[\d.])")
_NEGATIVE_QUANTITY = re.compile(rf"(?<![\w)])\(([\d.,]+)\) ?(?={_UNIT})")


class _Tokens(NamedTuple):
    """A text in lower case as tokens, and the kind of each as one letter of `kinds`.

    n number, p percentage, D date, time of day or range, u unit, $ currency, c cents, x times, @ at, / per, d days,
    m months and longer, b bound, k word before a name, U word of use, w other word, < sign before a bound.
    """

    text: str
    kinds: str
    texts: Sequence[str]
    mark: str
    """The decimal mark of the numbers whose notation cannot be mistaken, if all have the same one; else ""."""
    is_bracketed: bool
    """Whether parentheses around a quantity were read as a minus sign, which the amount has to confirm."""


@lru_cache(1_024)  # taxes and fees have the same text on every bill
def _tokens(name: str) -> _Tokens:
    text, count = name.lower(), 0
    if "(" in text or "-" in text:
        text, count = _NEGATIVE_QUANTITY.subn(r"-\1 ", _NEGATIVE_PRICE.sub(r"\1\2\3-", text))
    kinds, texts = [], []
    for match in _TOKEN.finditer(text):
        kind, token = match.lastgroup or "", match[0]
        if kind == "w":
            kind = _kind_of_word(token)
        elif kind == "s":
            kind = _KINDS_OF_SIGNS.get(token, token)
        elif kind == "m":
            kind = "$"
        elif kind == "n" and len(token) > _LONGEST_NUMBER:
            kind = "w"
        kinds.append(kind)
        texts.append(token)
    measured = [texts[place.start()] for place in _MEASURED_NUMBER.finditer("".join(kinds))]
    unmistakable = [found for number in measured if len(found := _readings(number.rstrip("% ") or "0")) == 1]
    marks = {number.mark for (number,) in unmistakable} - {""}
    mark = marks.pop() if len(marks) == 1 else ""
    return _Tokens(text, "".join(kinds), texts, mark, is_bracketed=bool(count))


@lru_cache(4_096)
def _kind_of_word(word: str) -> str:
    return next((kind for words, kind in _WORDS if words.fullmatch(word)), "w")


# --- Forms: what may be a quantity, what may be a price, and how they stand beside each other. ----------------------

_QUANTITY = re.compile(r"(?<![$/])n([wUk]?)([ud])(?![/@-][dm]|/[uwUkb])")
"""A number before its unit, with at most one word between, but no rate: "9.7 kWh/day"."""
_LABELLED = re.compile(r"(?<![n/@])uU?\)?([,=]?)n(?![wUk]?[ud]|[$cm])")
"""A number behind its unit: "kWh 1,234 x $0.12"."""
_PER = r"(?:[/@](?P<bundle>n)?(?P<per>[ud])(?P<timed>[/@-]?[dm]|/@)?)?"
_PRICE = re.compile(rf"(?:\$(?P<after>n)[$c]?|(?P<before>n)[$c]){_PER}")
_BARE = re.compile(rf"(?:(?<=[und@x])n|n(?=x?n)|n(?=[/@]n?u)){_PER}")

_MORE_FACTORS = re.compile(r"\+|x(?:p|n(?!u))")
_BEHIND = re.compile(r"U?(?:\([^()]*\))?\)?,?(?:xn[dm])?[@x/]?")
"""Between a quantity and its price: "412 kWh @ 7.6 ¢", "500 kWh (actual) @ $0.10", "31 kW x 30 days x 0.04 €"."""
_AHEAD = re.compile(r"[x@,]?[wU]?,?")
"""Between a price and its quantity: "6.67p/kWh 745.6 kWh", "$0.06 x 10,000 kWh"."""
_BARE_BEHIND = re.compile(r"[@x]?")
_BARE_AHEAD = re.compile(r"x?")

_PART_BEFORE = re.compile(r"(?:x|\([^()]*=)$")
"""Before a quantity that is a part of another: "5 units (1 unit = 748 gal)", "12 lamps x 45 kWh"."""
_NO_USE_BEFORE = re.compile(r"(?:[bk+<]|[nD]-?|p.*)$")
_USE_BEHIND = re.compile(r"$|[)=,@(\-$UDn]|x(?!p|n[wk])|[bk]$")
_PRICED_BEHIND = re.compile(r"[@x]\$?n[$c/]?")
_PERIOD = re.compile(r"n(?=[dm])|(?<=x)n$")


class _Quantity(NamedTuple):
    """A number that may be a quantity in `unit`, and where it stands among the tokens."""

    start: int
    end: int
    number: int
    unit: str
    is_named: bool
    """Whether number and unit stand together; else only the amount can prove that they belong together."""


class _Price(NamedTuple):
    """A number that may be a price of `bundle` times `per`, or of one unit of the quantity beside it if `per` is None.

    A bare price has neither currency nor cents; a timed one is for one unit and day, month or year.
    """

    start: int
    end: int
    number: int
    is_minor: bool
    is_bare: bool
    per: str | None
    is_timed: bool
    bundle: int
    is_whole: bool
    """Whether no sign beside it says that it is only a part of the price."""


def _quantities(tokens: _Tokens) -> Iterator[_Quantity]:
    kinds, texts = tokens.kinds, tokens.texts
    for match in _QUANTITY.finditer(kinds):
        start, end = match.span()
        yield _Quantity(start, end, start, _unit(texts[end - 1]), is_named=not match[1] and match[2] == "u")
    for match in _LABELLED.finditer(kinds):
        start, end = match.span()
        yield _Quantity(start, end, end - 1, _unit(texts[start]), is_named=bool(match[1]))


def _prices(tokens: _Tokens) -> Iterator[_Price]:
    taken = set()
    for match in _PRICE.finditer(tokens.kinds):
        number = match.start("after") if match["after"] else match.start("before")
        taken.add(number)
        yield _price(tokens, match, number, is_bare=False)
    for match in _BARE.finditer(tokens.kinds):
        if match.start() not in taken:
            yield _price(tokens, match, match.start(), is_bare=True)


def _price(tokens: _Tokens, match: re.Match[str], number: int, *, is_bare: bool) -> _Price:
    start, end = match.span()
    bundle = 1
    if match["bundle"]:
        values = [one.value for one in _readings(tokens.texts[match.start("bundle")])]
        bundle = next((count for count in (100, 1_000) if count in values), 0)
    per = _unit(tokens.texts[match.start("per")]) if match["per"] else None
    is_minor = "c" in tokens.kinds[start : number + 2]
    is_whole = not _MORE_FACTORS.match(tokens.kinds, end) and tokens.kinds[start - 1 : start] != "+"
    return _Price(start, end, number, is_minor, is_bare, per, bool(match["timed"]), bundle, is_whole)


def _link(kinds: str, quantity: _Quantity, price: _Price) -> str | None:
    """Return the tokens between a quantity and the price beside it; None if something else stands between."""
    if price.start >= quantity.end:
        between, form = kinds[quantity.end : price.start], _BARE_BEHIND if price.is_bare else _BEHIND
    elif price.end <= quantity.start:
        between, form = kinds[price.end : quantity.start], _BARE_AHEAD if price.is_bare else _AHEAD
    else:
        return None
    return between if form.fullmatch(between) else None


# --- Languages: what the words of a text say about its numbers. -----------------------------------------------------

_OWN_WORDS = {
    name: {word for word in f"{one.known_by} {one.used} {one.days} {one.longer}".split() if word.isalpha()}
    for name, one in LANGUAGES.items()
}
_KNOWN_BY = {
    word: name
    for name, words in _OWN_WORDS.items()
    for word in words - set().union(*(others for other, others in _OWN_WORDS.items() if other != name))
    if len(word) > 2  # noqa: PLR2004 - shorter ones are abbreviations too
}
"""Words of one language alone; they tell the language of a text."""
_NOT_USED = {name: re.compile(rf"\b(?:{one.pattern('not_used')})(?!\w)") for name, one in LANGUAGES.items()}
_METER_READINGS = {name: re.compile(rf"\b(?:{one.pattern('readings')})(?!\w)") for name, one in LANGUAGES.items()}


# --- Decisions. -----------------------------------------------------------------------------------------------------


class _Rate(NamedTuple):
    """A price of one `per`: a number times 10 to the power of `shift`, divided by `bundle`."""

    digits: str
    shift: int
    bundle: int
    per: str


class _Pair(NamedTuple):
    """One reading of a quantity with one of a price, as the price of one `unit`."""

    quantity: _Number
    unit: str
    price: _Number
    shift: int
    bundle: int
    periods: int

    @property
    def each(self) -> float:
        """Return the price of one unit."""
        return self.price.value * 10.0**self.shift / self.bundle * self.periods

    @property
    def key(self) -> tuple[float, str, float]:
        """Return what the pair says; two pairs may say the same."""
        return self.quantity.value, self.unit, self.each

    @property
    def marks(self) -> set[str]:
        """Return the decimal marks that it implies."""
        return {self.quantity.mark, self.price.mark} - {""}

    @property
    def is_usual(self) -> bool:
        """Tell whether a price like this is ever printed; see `_MOST`."""
        return abs(self.price.value) < _MOST or (self.shift >= 0 and self.unit not in SMALL)

    def reading(self) -> Reading:
        """Return it as numbers, exactly as printed."""
        price = _json_number(self.price.digits, self.shift, self.bundle, self.periods)
        return Reading(_json_number(self.quantity.digits), self.unit, price)


def read_any_form(name: str, amount: float, mark: str) -> _Found:
    """Read one text, whatever its form; `mark` is the decimal mark that other texts of the bill prove, or ""."""
    tokens = _tokens(name)
    if "u" in tokens.kinds or "nd" in tokens.kinds:
        return _Text(tokens, amount, mark).found()
    return _Found(mark=tokens.mark)


class _Text:
    """One text with its amount, while it is read."""

    def __init__(self, tokens: _Tokens, amount: float, mark: str) -> None:
        self.tokens = tokens
        self.kinds = tokens.kinds
        self.amount = amount
        self.own_mark = tokens.mark
        self.mark = tokens.mark or mark
        self.quantities = list(_quantities(tokens))
        self.prices = list(_prices(tokens))
        self.terms = self._terms()
        self.languages = {_KNOWN_BY[token] for token in tokens.texts if token in _KNOWN_BY}

    def found(self) -> _Found:
        """Return the reading that fits the amount, else what cannot be mistaken."""
        if len(self.terms) > 1 and "+" in self.kinds[self.terms[0][0].end : self.terms[-1][0].start]:
            return self._sum()
        fitting = [pair for pair in self._pairs(self._periods()) if _fits(pair.quantity.value * pair.each, self.amount)]
        if fitting:
            return self._decided(fitting)
        return self._sum() if len(self.terms) > 1 else self._unmistakable()

    def _pairs(self, periods: Sequence[int]) -> Iterator[_Pair]:
        for quantity, price in product(self.quantities, self.prices):
            link = _link(self.kinds, quantity, price)
            if link is not None or (price.per and not price.is_bare):
                yield from self._pairs_of(quantity, price, link or "", periods)

    def _pairs_of(self, quantity: _Quantity, price: _Price, link: str, periods: Sequence[int]) -> Iterator[_Pair]:
        """Yield each reading of a quantity with each of a price; none if the price is of something else."""
        power = _power_between(quantity.unit, price.per or quantity.unit)
        if power is None or not price.bundle:
            return
        shifts = [power - 2] if price.is_minor else [power]
        if price.is_bare and (link or price.per):
            shifts.append(power - 2)
        texts = self.tokens.texts
        for many, each in product(_readings(texts[quantity.number]), _readings(texts[price.number])):
            for shift, period in product(shifts, periods):
                yield _Pair(many, quantity.unit, each, shift, price.bundle, period)

    def _periods(self) -> list[int]:
        """Return 1, and the numbers of days or months by which a price may have to be multiplied."""
        if "u" not in self.kinds:
            return [1]
        texts = [self.tokens.texts[place.start()] for place in _PERIOD.finditer(self.kinds)]
        return [1, *{int(text) for text in texts if text.isdecimal() and text not in ("0", "1")}]

    def _decided(self, fitting: Sequence[_Pair]) -> _Found:
        """Choose among pairs that fit: by the notation of others, by usual prices, by the language; else none."""
        by_language = {LANGUAGES[name].decimal for name in self.languages}
        tests = (
            lambda pair: not self.mark or pair.marks <= {self.mark},
            lambda pair: pair.is_usual,
            lambda pair: len(by_language) == 1 and pair.marks <= by_language,
        )
        left = list(fitting)
        for test in tests:
            if len({pair.key for pair in left}) > 1:
                left = [pair for pair in left if test(pair)] or left
        if len({pair.key for pair in left}) > 1:
            return _Found(mark=self.own_mark, is_open=True)
        marks = set.intersection(*(pair.marks for pair in left))
        mark = self.own_mark or ("".join(marks) if len(marks) == 1 else "")
        return _Found(left[0].reading(), mark)

    def _terms(self) -> list[tuple[_Quantity, _Price]]:
        """Return each quantity that has a price in a currency just behind it, with that price."""
        terms: dict[int, tuple[_Quantity, _Price]] = {}
        for quantity, price in product(self.quantities, self.prices):
            if price.is_bare or price.start < quantity.end or _link(self.kinds, quantity, price) is None:
                continue
            if _power_between(quantity.unit, price.per or quantity.unit) is not None:
                terms.setdefault(price.number, (quantity, price))
        return [*terms.values()]

    def _sum(self) -> _Found:
        """Return the sum of several quantities, if quantities × prices add up to the amount."""
        sums: set[float] = set()
        units = {quantity.unit for quantity, _ in self.terms}
        for mark in ".," if len(units) == 1 else "":
            choices = [
                [pair for pair in self._pairs_of(quantity, price, "", [1]) if pair.marks <= {mark}]
                for quantity, price in self.terms
            ]
            for pairs in islice(product(*choices), _MOST_CHOICES):
                if _fits(sum(pair.quantity.value * pair.each for pair in pairs), self.amount):
                    total = sum((Decimal(pair.quantity.digits) for pair in pairs), Decimal(0))
                    sums.add(_json_number(str(total)))
        return _Found(Reading(sums.pop(), units.pop()) if len(sums) == 1 else Reading(), self.own_mark)

    def _unmistakable(self) -> _Found:
        """Return quantity and price that need no amount to be right."""
        quantities = [term[0] for term in self.terms] or self.quantities
        plain = {(self._value(one), one.unit) for one in quantities if self._is_plain(one)}
        rates = {rate for price in self.prices if (rate := self._rate(price))}
        numbers = {one.number for one in self.quantities} | {one.number for one in self.prices}
        is_open = any(len(_readings(self.tokens.texts[number])) > 1 for number in numbers)
        quantity, unit = plain.pop() if len(plain) == 1 else (None, None)
        rate = rates.pop() if len(rates) == 1 else None
        if quantity is None:
            unit = rate and rate.per
        power = _power_between(unit, rate.per) if unit and rate else 0
        if power is None:
            return _Found(mark=self.own_mark)
        price = rate and _json_number(rate.digits, rate.shift + power, rate.bundle)
        return _Found(Reading(quantity, unit, price), self.own_mark, is_open)

    def _is_plain(self, quantity: _Quantity) -> bool:
        """Tell whether a quantity is what was used, by the words of the text alone."""
        before = self.kinds[: quantity.start]
        if not quantity.is_named or self.tokens.is_bracketed:
            return False
        if _NO_USE_BEFORE.search(before) or _PART_BEFORE.search(before):
            return False
        if not _USE_BEHIND.match(self.kinds, quantity.end):
            return False
        if quantity.unit in CAPACITIES and not ("U" in self.kinds or _PRICED_BEHIND.match(self.kinds, quantity.end)):
            return False
        languages, text = self.languages or LANGUAGES, self.tokens.text
        if any(_NOT_USED[name].search(text) for name in languages):
            return False
        return before.endswith(("=", "U", "U,")) or not any(_METER_READINGS[name].search(text) for name in languages)

    def _value(self, quantity: _Quantity) -> float | None:
        """Return the value of a quantity if its notation cannot be mistaken."""
        printed = self.tokens.texts[quantity.number]
        readings = _readings(printed)
        if " " in printed:
            readings = readings[:1] if self.languages and "en" not in self.languages else []
        elif len(readings) > 1:
            english = "." if self.languages == {"en"} and "," in printed else ""
            mark = english if self.mark in ("", english) else "" if english else self.mark
            readings = [one for one in readings if one.mark == mark]
        return _json_number(readings[0].digits) if readings else None

    def _rate(self, price: _Price) -> _Rate | None:
        """Return the price of one unit if it cannot be mistaken."""
        if price.is_bare or price.is_timed or not price.is_whole or not price.bundle:
            return None
        beside = next((one for one in self.quantities if _link(self.kinds, one, price)), None)
        if price.per is None and beside and _PART_BEFORE.search(self.kinds[: beside.start]):
            return None
        per = price.per or (beside.unit if beside else DAYS)
        if per == DAYS:
            return None
        printed = self.tokens.texts[price.number]
        readings = _readings(printed)
        if len(readings) > 1:
            marks = {self.mark} if self.mark else {LANGUAGES[name].decimal for name in self.languages}
            usual = [one for one in readings if price.is_minor and abs(one.value) < _MOST]
            readings = usual or [one for one in readings if marks == {one.mark} and one.mark in printed]
        if len(readings) != 1:
            return None
        return _Rate(readings[0].digits, -2 if price.is_minor else 0, price.bundle, per)
