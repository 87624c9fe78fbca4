"""Read quantity, unit and unit price from the texts of charges. Pure.

The provider sends one text a line, in no promised form (API notes, section 4.2). The line's own amount decides what
its numbers mean:

    "Arbeitspreis 2.847 kWh x 0,32 EUR/kWh", 911.04
      ├─ tokens ───── w n u x n $ / u         the kind of each as one letter
      ├─ quantities ─ 2.847 kWh               2847 or 2.847
      ├─ prices ───── 0,32 EUR/kWh            0.32
      └─ pairs ────── 2847 × 0.32 = 911.04    the one reading that fits the amount

Where no reading fits, or several do, a number is read only if its notation cannot be mistaken, by itself or by other
numbers of the text or the bill; and a quantity only if the words around it do not say that it is something else.

Units, currencies and words are in `charge_words.toml`.
"""

# ruff: noqa: RUF001, RUF002 - the look-alikes of hyphen, x and apostrophe are what bills print

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from importlib import resources
from itertools import islice, product
from typing import NamedTuple

_LONGEST_TEXT = 500
_LONGEST_NUMBER = 24
_LONGEST_ABBREVIATION = 2
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
        mark = _only({one.mark for one in found} - {""})
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


_DIGIT = re.compile(r"\d")
_SPACES = re.compile("[ \u00a0\u2009\u202f]")
_OTHER = {".": ",", ",": ".", "'": ""}
_ONE_MARK = re.compile(r"(\d*)([.,])(\d+)")
_THOUSANDS = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")
_GROUPED = re.compile(r"[1-9]\d{0,2}([.,'])\d{3}(?:\1\d{3})*(?:(?!\1)([.,])\d+)?")


@lru_cache(4_096)
def _readings(printed: str) -> Sequence[_Number]:
    """Return every reading of a number as printed; none if no notation prints numbers like this.

    After plain spaces there may be another number: "Tier 2 480 kWh" is 2480 or 480.
    """
    sign, plain = ("-", printed[1:]) if printed[0] in "-−–" else ("", printed)
    plain = plain.replace("’", "'")
    if plain.isdecimal():
        found = [(plain, "")]
    elif match := _ONE_MARK.fullmatch(plain):
        whole, mark, decimals = match.groups()
        found = [(f"{whole}.{decimals}", mark)]
        if _THOUSANDS.fullmatch(plain):
            found.insert(0, (whole + decimals, _OTHER[mark]))
    elif len(groups := _SPACES.split(plain)) > 1:
        mark = "," if "," in plain else "." if "." in plain else ""
        starts = range(len(groups) if " " in plain else 1)
        found = [("".join(groups[start:]).replace(",", "."), mark) for start in starts]
    elif match := _GROUPED.fullmatch(plain):
        found = [(plain.replace(match[1], "").replace(",", "."), match[2] or _OTHER[match[1]])]
    else:
        found = []
    return [_Number(sign + digits, float(sign + digits), mark) for digits, mark in found]


def _json_number(digits: str, shift: int = 0, bundle: int = 1, periods: int = 1) -> float:
    """Return a number times 10 to the power of `shift` and `periods`, divided by `bundle`: exactly, then rounded."""
    if len(digits) < _SHORT and bundle == periods == 1:  # the same, in less time: a sixth of that of reading
        value = float(f"{digits}e{shift}" if shift else digits)
        return int(value) if value.is_integer() else value
    exact = Decimal(digits).scaleb(shift) / bundle * periods
    whole = int(exact)
    return whole if whole == exact and whole.bit_length() <= _WHOLE_BITS else float(exact)


def _only(marks: set[str]) -> str:
    """Return the only mark that numbers imply; "" if they imply none or both."""
    return "".join(marks) if len(marks) == 1 else ""


def _fits(total: float, amount: float) -> bool:
    expected = abs(amount)
    return expected > 0 and abs(abs(total) - expected) <= max(_TOLERANCE, _TOLERANCE * expected) + 1e-9


# --- Units, currencies and languages. -------------------------------------------------------------------------------

_WORDS = tomllib.loads(resources.files(__package__).joinpath("charge_words.toml").read_text(encoding="utf-8"))
UNITS = _WORDS["units"]
CAPACITIES = {unit for unit, row in UNITS.items() if row.get("capacity")}
SMALL = {unit for unit, row in UNITS.items() if row.get("small")}
LANGUAGES = _WORDS["languages"]
_DAYS = "days"
"""The unit of "31 days"; no charge is delivered in it without an amount that fits."""

_ANY_UNIT = "|".join(spelling for row in UNITS.values() for spelling in row["spelled"])
_UNIT = rf"(?<![^\W\d_])(?:{_ANY_UNIT})(?![\w³²^])"
_MAJOR, _MINOR = (
    "|".join([*signs, rf"(?:{'|'.join(words)}){end}(?![^\W_])"])
    for signs, words, end in (
        (_WORDS["currencies"]["major"], _WORDS["currencies"]["major_words"], ""),
        (_WORDS["currencies"]["minor"], _WORDS["currencies"]["minor_words"], r"\.?"),
    )
)


@lru_cache(1_024)
def _unit(spelling: str) -> str:
    """Return the name of a unit, in lower case, or of a word for days."""
    return next((unit for unit, row in UNITS.items() if re.fullmatch("|".join(row["spelled"]), spelling)), _DAYS)


@lru_cache(1_024)
def _power_between(unit: str, per: str) -> int | None:
    """Return the power of ten by which one `unit` is more than one `per`; None if they measure different things."""
    if unit == per:
        return 0
    if _DAYS in (unit, per) or UNITS[unit]["base"] != UNITS[per]["base"]:
        return None
    return int(UNITS[unit]["power"] - UNITS[per]["power"])


def _pattern(language: str, row: str) -> str:
    """Return the words of a row of a language as one regular expression."""
    words = LANGUAGES[language][row].split()
    return "|".join(word.replace("*", r"\w*").replace("_", " ") for word in words)


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
_NOT_USED, _METER_READINGS = (
    {name: re.compile(rf"\b(?:{_pattern(name, row)})(?!\w)") for name in LANGUAGES} for row in ("not_used", "readings")
)


# --- Pairs: one reading of a quantity with one of a price. ----------------------------------------------------------


class _Pair(NamedTuple):
    """A quantity in `unit`, and the price beside it.

    One `unit` costs `price` times 10 to the power of `shift`, divided by `bundle`, times `periods`.
    """

    quantity: _Number
    unit: str
    price: _Number
    shift: int
    bundle: int = 1
    periods: int = 1

    @property
    def each(self) -> float:
        """Return the price of one unit."""
        return self.price.value * 10.0**self.shift / self.bundle * self.periods

    def fits(self, amount: float) -> bool:
        """Tell whether quantity × price is the amount."""
        return _fits(self.quantity.value * self.each, amount)

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


_MORE = r"[\d.,]{0,15}"
_COMMON_FORM = re.compile(
    rf"(?:\D* )?(?P<many>\d{_MORE}) ?(?P<unit>{_ANY_UNIT}) ?(?:[@x×]|at) ?(?:[$€£] ?(?P<major>\d?{_MORE}\d)"
    rf"|(?P<minor>\d{_MORE}) ?[¢cp])(?: ?(?:/|per ) ?(?P<per>{_ANY_UNIT}))?"
)


def read_common_form(name: str, amount: float) -> _Found | None:
    """Read "Energy 1,234 kWh @ $0.12/kWh" if exactly one reading fits the amount; None for all else.

    The tokens give the same. Without this form a charge of the benchmark takes 20 µs instead of 3.
    """
    if (match := _COMMON_FORM.fullmatch(name.lower())) is None:
        return None
    many, spelling, major, minor, per = match.groups()
    unit = _unit(spelling)
    power = _power_between(unit, _unit(per)) if per else 0
    if power is None:
        return None
    shift = power if major else power - 2
    pairs = product(_readings(many), _readings(major or minor))
    scale = 10.0**shift
    fitting = [(quantity, price) for quantity, price in pairs if _fits(quantity.value * price.value * scale, amount)]
    if len(fitting) != 1:
        return None
    ((quantity, price),) = fitting
    reading = Reading(_json_number(quantity.digits), unit, _json_number(price.digits, shift))
    return _Found(reading, "" if price.mark == _OTHER.get(quantity.mark) else quantity.mark or price.mark)


# --- Tokens: each has a kind of one letter, so that regular expressions over the kinds find the forms. --------------

_DIGITS = r"(?>\d{1,3}(?:[ \u00a0\u2009\u202f]\d{3})+(?:[.,]\d+)?(?![.,]?\d)|\d+(?:[.,'’]\d+)*|[.,]\d+)"
_TOKEN = re.compile(
    # dates, times of day, fractions, ranges, "301+"
    r"(?P<D>\d{4}-\d\d-\d\d|\d{1,2}([./])\d{1,2}\2(?:\d{4}|\d\d)(?!\d)|\d{1,2}\.\d{1,2}\.(?!\d)|\d+/\d+|\d{1,2}:\d\d"
    r"|\d{1,2} ?[ap]\.?m\b\.?|\d[\d.,]*[-–]\d[\d.,]*|\d+\+)"
    rf"|(?P<p>{_DIGITS} ?%)"
    rf"|(?P<n>(?<![\w.,/])(?:(?<!\d )[-−–])?{_DIGITS}(?=[\Wx]|$|(?:{_ANY_UNIT})(?![\w³²^])|{_MINOR}|{_MAJOR}))"
    rf"|(?P<c>¢|c€|(?:(?<=\d)|(?<=\d[ \u00a0\u2009\u202f]))(?:{_MINOR}))"
    rf"|(?P<u>{_UNIT})"
    rf"|(?P<m>(?<![^\W\d_])(?:{_MAJOR}))"
    rf"|(?P<x>(?<![^\W\d_]){_WORDS['times']}(?![^\W\d_]))"
    r"|(?P<w>\w+(?:-\w+)*)"
    r"|(?P<s>[-@/=+%(),:;–—<>≥≤#])"
)
_KINDS_OF_SIGNS = {":": ",", ";": ",", "–": "-", "—": "-", "%": "p", ">": "<", "≥": "<", "≤": "<", "#": "<"}
_KINDS_OF_WORDS = [
    (re.compile("|".join(_pattern(name, row) for name in LANGUAGES)), kind)
    for row, kind in {
        "at": "@", "per": "/", "days": "d", "longer": "m", "bounds": "b", "numbered": "k", "used": "U"
    }.items()
]  # fmt: skip
_MEASURED_NUMBER = re.compile(r"n(?=[u$c]|$)|(?<=[$@x])n|p")
_NEGATIVE_PRICE = re.compile(r"(?<=[@x×*])( ?)\(([$€£]?)(?=[\d.,]+\))|-([$€£])(?=[\d.])")
_NEGATIVE_QUANTITY = re.compile(rf"(?<![\w)])\(([\d.,]+)\) ?(?={_UNIT})")

# --- Candidates: what may be a quantity, what may be a price, and how they stand beside each other. -----------------

_QUANTITY = re.compile(r"(?<![$/])n([wUk]?)([ud])(?![/@-][dm]|/[uwUkb])")
"""A number before its unit, with at most one word between, but no rate: "9.7 kWh/day"."""
_LABELLED = re.compile(r"(?<![n/@])uU?\)?([,=]?)n(?![wUk]?[ud]|[$cm])")
"""A number behind its unit: "kWh 1,234 x $0.12"."""
_PER = r"(?:[/@](?P<bundle>n)?(?P<per>[ud])(?P<timed>[/@-]?[dm]|/@)?)?"
_PRICE = re.compile(rf"(?:\$(?P<after>n)[$c]?|(?P<before>n)[$c]){_PER}")
_BARE = re.compile(rf"(?P<before>(?<=[und@x])n|n(?=x?n)|n(?=[/@]n?u)){_PER}")

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
    printed: str
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
    printed: str
    is_minor: bool
    is_bare: bool
    per: str | None
    is_timed: bool
    bundle: int
    is_whole: bool
    """Whether no sign beside it says that it is only a part of the price."""


class _Text:
    """A text in lower case as tokens, and what among them may be a quantity or a price.

    `kinds` has one letter for each token: n number, p percentage, D date, time of day or range, u unit, $ currency,
    c cents, x times, @ at, / per, d days, m months and longer, b bound, k word before a name, U word of use, w other
    word, < sign before a bound.
    """

    def __init__(self, name: str) -> None:
        text, count = name.lower(), 0
        if "(" in text or "-" in text:
            text, count = _NEGATIVE_QUANTITY.subn(r"-\1 ", _NEGATIVE_PRICE.sub(r"\1\2\3-", text))
        matches = list(_TOKEN.finditer(text))
        self.text = text
        self.tokens = [match[0] for match in matches]
        self.kinds = "".join(_kind_of(match.lastgroup or "", match[0]) for match in matches)
        # parentheses around a quantity were read as a minus sign, which the amount has to confirm
        self.is_bracketed = bool(count)
        self.mark = self._own_mark()
        self.languages = {_KNOWN_BY[token] for token in self.tokens if token in _KNOWN_BY}
        self.quantities = list(self._quantities())
        self.prices = list(self._prices())
        self.terms = self._terms()

    def _own_mark(self) -> str:
        """Return the decimal mark of the numbers whose notation cannot be mistaken, if all have the same; else ""."""
        measured = [self.tokens[place.start()].rstrip("% ") or "0" for place in _MEASURED_NUMBER.finditer(self.kinds)]
        return _only({found[0].mark for printed in measured if len(found := _readings(printed)) == 1} - {""})

    def _quantities(self) -> Iterator[_Quantity]:
        for match in _QUANTITY.finditer(self.kinds):
            start, end = match.span()
            is_named = not match[1] and match[2] == "u"
            yield _Quantity(start, end, self.tokens[start], _unit(self.tokens[end - 1]), is_named)
        for match in _LABELLED.finditer(self.kinds):
            start, end = match.span()
            yield _Quantity(start, end, self.tokens[end - 1], _unit(self.tokens[start]), is_named=bool(match[1]))

    def _prices(self) -> Iterator[_Price]:
        priced = [self._price(match) for match in _PRICE.finditer(self.kinds)]
        yield from priced
        taken = {price.number for price in priced}
        bare = _BARE.finditer(self.kinds)
        yield from (self._price(match, is_bare=True) for match in bare if match.start() not in taken)

    def _price(self, match: re.Match[str], *, is_bare: bool = False) -> _Price:
        start, end = match.span()
        number = match.start("before") if match["before"] else match.start("after")
        bundle = 1
        if match["bundle"]:
            values = [one.value for one in _readings(self.tokens[match.start("bundle")])]
            bundle = next((count for count in (100, 1_000) if count in values), 0)
        return _Price(
            start,
            end,
            number,
            self.tokens[number],
            is_minor="c" in self.kinds[start : number + 2],
            is_bare=is_bare,
            per=_unit(self.tokens[match.start("per")]) if match["per"] else None,
            is_timed=bool(match["timed"]),
            bundle=bundle,
            is_whole=not _MORE_FACTORS.match(self.kinds, end) and self.kinds[start - 1 : start] != "+",
        )

    def _terms(self) -> list[tuple[_Quantity, _Price]]:
        """Return each quantity that has a price in a currency just behind it, with that price."""
        terms: dict[int, tuple[_Quantity, _Price]] = {}
        for quantity, price in product(self.quantities, self.prices):
            if price.is_bare or price.start < quantity.end or self.between(quantity, price) is None:
                continue
            if _power_between(quantity.unit, price.per or quantity.unit) is not None:
                terms.setdefault(price.number, (quantity, price))
        return [*terms.values()]

    def between(self, quantity: _Quantity, price: _Price) -> str | None:
        """Return the kinds of tokens between a quantity and the price beside it; None if it is not beside it."""
        if price.start >= quantity.end:
            kinds, form = self.kinds[quantity.end : price.start], _BARE_BEHIND if price.is_bare else _BEHIND
        elif price.end <= quantity.start:
            kinds, form = self.kinds[price.end : quantity.start], _BARE_AHEAD if price.is_bare else _AHEAD
        else:
            return None
        return kinds if form.fullmatch(kinds) else None

    def is_used(self, quantity: _Quantity) -> bool:
        """Tell whether a quantity is what was used, by the words of the text alone."""
        before = self.kinds[: quantity.start]
        if not quantity.is_named or self.is_bracketed or _NO_USE_BEFORE.search(before) or _PART_BEFORE.search(before):
            return False
        if not _USE_BEHIND.match(self.kinds, quantity.end):
            return False
        if quantity.unit in CAPACITIES and not ("U" in self.kinds or _PRICED_BEHIND.match(self.kinds, quantity.end)):
            return False
        languages = self.languages or LANGUAGES
        if any(_NOT_USED[name].search(self.text) for name in languages):
            return False
        is_said = before.endswith(("=", "U", "U,"))
        return is_said or not any(_METER_READINGS[name].search(self.text) for name in languages)


_text = lru_cache(1_024)(_Text)  # taxes and fees have the same text on every bill


@lru_cache(4_096)
def _kind_of(group: str, token: str) -> str:
    """Return the letter of a token by the group of `_TOKEN` that found it."""
    if group == "w":
        return next((kind for words, kind in _KINDS_OF_WORDS if words.fullmatch(token)), "w")
    if group == "n" and len(token) > _LONGEST_NUMBER:
        return "w"
    return _KINDS_OF_SIGNS.get(token, token) if group == "s" else "$" if group == "m" else group


# --- Decisions. -----------------------------------------------------------------------------------------------------


def read_any_form(name: str, amount: float, mark: str) -> _Found:
    """Read one text, whatever its form: what fits the amount, else what cannot be mistaken.

    `mark` is the decimal mark that other texts of the bill prove, or "".
    """
    text = _text(name)
    if "u" not in text.kinds and "nd" not in text.kinds:
        return _Found(mark=text.mark)
    is_sum = len(text.terms) > 1
    if is_sum and "+" in text.kinds[text.terms[0][0].end : text.terms[-1][0].start]:
        return _sum(text, amount)
    fitting = [pair for pair in _pairs(text) if pair.fits(amount)]
    if fitting:
        return _decided(text, fitting, mark)
    return _sum(text, amount) if is_sum else _unmistakable(text, mark)


def _pairs(text: _Text) -> Iterator[_Pair]:
    """Yield every pairing; a price may have to be multiplied by the days or months of the text."""
    periods = [1]
    if "u" in text.kinds:
        numbers = [text.tokens[place.start()] for place in _PERIOD.finditer(text.kinds)]
        periods += {int(number) for number in numbers if number.isdecimal() and number not in ("0", "1")}
    for quantity, price in product(text.quantities, text.prices):
        between = text.between(quantity, price)
        if between is not None or (price.per and not price.is_bare):
            may_be_minor = price.is_bare and bool(between or price.per)
            yield from _pairs_of(quantity, price, periods, may_be_minor=may_be_minor)


def _pairs_of(
    quantity: _Quantity, price: _Price, periods: Sequence[int] = (1,), *, may_be_minor: bool = False
) -> Iterator[_Pair]:
    """Yield each reading of a quantity with each of a price; none if the price is of something else."""
    power = _power_between(quantity.unit, price.per or quantity.unit)
    if power is None or not price.bundle:
        return
    shifts = [power - 2] if price.is_minor else [power, power - 2] if may_be_minor else [power]
    for many, each in product(_readings(quantity.printed), _readings(price.printed)):
        for shift, period in product(shifts, periods):
            yield _Pair(many, quantity.unit, each, shift, price.bundle, period)


def _decided(text: _Text, fitting: Sequence[_Pair], mark: str) -> _Found:
    """Choose among pairs that fit: by the notation of others, by usual prices, by the language; else none."""
    mark = text.mark or mark
    by_language = {LANGUAGES[name]["decimal"] for name in text.languages}
    tests = (
        lambda pair: not mark or pair.marks <= {mark},
        lambda pair: pair.is_usual,
        lambda pair: len(by_language) == 1 and pair.marks <= by_language,
    )

    def differ(pairs: Sequence[_Pair]) -> bool:
        return len({(pair.quantity.value, pair.unit, pair.each) for pair in pairs}) > 1

    left = list(fitting)
    for test in tests:
        if differ(left):
            left = [pair for pair in left if test(pair)] or left
    if differ(left):
        return _Found(mark=text.mark, is_open=True)
    return _Found(left[0].reading(), text.mark or _only(set.intersection(*(pair.marks for pair in left))))


def _sum(text: _Text, amount: float) -> _Found:
    """Return the sum of several quantities, if quantities × prices add up to the amount."""
    sums: set[float] = set()
    units = {quantity.unit for quantity, _ in text.terms}
    for mark in ".," if len(units) == 1 else "":
        choices = [[pair for pair in _pairs_of(*term) if pair.marks <= {mark}] for term in text.terms]
        for pairs in islice(product(*choices), _MOST_CHOICES):
            if _fits(sum(pair.quantity.value * pair.each for pair in pairs), amount):
                sums.add(_json_number(str(sum((Decimal(pair.quantity.digits) for pair in pairs), Decimal(0)))))
    return _Found(Reading(sums.pop(), units.pop()) if len(sums) == 1 else Reading(), text.mark)


def _unmistakable(text: _Text, mark: str) -> _Found:
    """Return quantity and price that need no amount to be right."""
    mark = text.mark or mark
    quantities = [quantity for quantity, _ in text.terms] or text.quantities
    plain = {(_value(text, one, mark), one.unit) for one in quantities if text.is_used(one)}
    rates = {rate for price in text.prices if (rate := _rate(text, price, mark))}
    printed = {one.printed for one in text.quantities} | {one.printed for one in text.prices}
    is_open = any(len(_readings(one)) > 1 for one in printed)
    quantity, unit = plain.pop() if len(plain) == 1 else (None, None)
    digits, shift, bundle, per = rates.pop() if len(rates) == 1 else ("", 0, 1, None)
    if quantity is None:
        unit = per
    power = _power_between(unit, per) if unit and per else 0
    if power is None:
        return _Found(mark=text.mark)
    price = _json_number(digits, shift + power, bundle) if digits else None
    return _Found(Reading(quantity, unit, price), text.mark, is_open)


def _value(text: _Text, quantity: _Quantity, mark: str) -> float | None:
    """Return the value of a quantity if its notation cannot be mistaken."""
    readings = _readings(quantity.printed)
    if " " in quantity.printed:
        readings = readings[:1] if text.languages and "en" not in text.languages else []
    elif len(readings) > 1:
        english = "." if text.languages == {"en"} and "," in quantity.printed else ""
        mark = english if mark in ("", english) else "" if english else mark
        readings = [one for one in readings if one.mark == mark]
    return _json_number(readings[0].digits) if readings else None


def _rate(text: _Text, price: _Price, mark: str) -> tuple[str, int, int, str] | None:
    """Return digits, power of ten, bundle and unit of a price of one unit, if it cannot be mistaken."""
    if price.is_bare or price.is_timed or not price.is_whole or not price.bundle:
        return None
    beside = next((one for one in text.quantities if text.between(one, price)), None)
    if price.per is None and beside and _PART_BEFORE.search(text.kinds[: beside.start]):
        return None
    per = price.per or (beside.unit if beside else _DAYS)
    readings = _readings(price.printed)
    if len(readings) > 1:
        marks = {mark} if mark else {LANGUAGES[name]["decimal"] for name in text.languages}
        usual = [one for one in readings if price.is_minor and abs(one.value) < _MOST]
        readings = usual or [one for one in readings if marks == {one.mark} and one.mark in price.printed]
    if per == _DAYS or len(readings) != 1:
        return None
    return readings[0].digits, -2 if price.is_minor else 0, price.bundle, per
