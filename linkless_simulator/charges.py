"""The lines of a bill, with texts as utilities print them: quantity, unit and price in one string, or not."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its text and its amount in cents."""

    text: str
    cents: int


def lines_of(supply: str, season: float, rng: random.Random, count: int | None) -> list[Line]:
    """Return the lines of one bill.

    `season` runs from 1 in January to -1 in July; `count` pads with riders or cuts before the taxes.
    """
    lines = list(SUPPLIES[supply](season, rng))
    if count is None:
        return [*lines, *_taxes(lines)]
    lines = lines[: max(count - 2, 1)]
    lines += [_rider(rng, n) for n in range(count - 2 - len(lines))]
    return [*lines, *_taxes(lines)][:count]


def _electricity(season: float, rng: random.Random) -> Iterator[Line]:
    kwh = round((900 + 500 * season * season + 80 * abs(season)) * rng.uniform(0.85, 1.15))
    peak, kw = round(kwh * rng.uniform(0.25, 0.4)), round(rng.uniform(30, 60), 1)
    yield Line("Customer charge", 2150)
    yield _priced(f"Energy charge {kwh - peak:,} kWh @ $0.1123/kWh", (kwh - peak) * 11.23)
    yield _priced(f"On-peak energy {peak:,} kWh x 18.47 ¢/kWh", peak * 18.47)
    yield _priced(f"Demand {kw} kW @ 12.50", kw * 1250)
    yield _priced("Transmission and delivery", kwh * 3.1)
    if rng.randrange(3) == 0:
        kvar = rng.randint(3, 19)
        yield _priced(f"Reactive demand {kvar} kVar @ $0.60/kVar", kvar * 60)
    yield Line("Renewable energy credit", -rng.randint(100, 900))


def _water(season: float, rng: random.Random) -> Iterator[Line]:
    ccf = round((14 - 6 * season) * rng.uniform(0.8, 1.2), 1)
    yield Line('Water service 5/8" meter', 1675)
    yield _priced(f"Water usage {ccf} CCF @ $3.85/CCF", ccf * 385)
    yield _priced(f"Sewer {round(ccf * 0.8, 2)} CCF @ $5.10", round(ccf * 0.8, 2) * 510)
    yield Line("Stormwater fee", 900)


def _gas(season: float, rng: random.Random) -> Iterator[Line]:
    therms = round((70 + 55 * season) * rng.uniform(0.85, 1.15), 1)
    yield Line("Basic service charge", 1275)
    yield _priced(f"Gas supply {therms} therms @ $0.6512/therm", therms * 65.12)
    yield _priced(f"Distribution {therms} therms @ $0.3875 per therm", therms * 38.75)
    yield _priced("Weather normalization adjustment", season * rng.uniform(-400, 400))


SUPPLIES: dict[str, Callable[[float, random.Random], Iterator[Line]]] = {
    "electricity": _electricity,
    "water": _water,
    "gas": _gas,
}


def _priced(text: str, cents: float) -> Line:
    return Line(text, round(cents))


def _rider(rng: random.Random, n: int) -> Line:
    return Line(f"Rider {n + 1} public purpose programs", rng.randint(-200, 900))


def _taxes(lines: list[Line]) -> list[Line]:
    cents = sum(line.cents for line in lines)
    return [
        Line("City utility tax 6.0%", round(cents * 0.06)),
        Line("State sales tax", round(cents * 0.0475)),
    ]
