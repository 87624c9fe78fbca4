"""Figures of a benchmark: as a table for people, as JSON for programs, and as a part of README.md."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from testing.generated_parts import parts, write

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

README = "benchmarks/README.md"
_LARGE = 1_000


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure measured some times."""

    median: float
    least: float
    most: float

    def __format__(self, form: str) -> str:
        """Write the median and, when there is more than one value, the smallest and the largest."""
        if self.least == self.most:
            return format(self.median, form)
        return f"{self.median:{form}} ({self.least:{form}}-{self.most:{form}})"


def spread(values: Sequence[float]) -> Spread:
    """Summarise the rounds of a figure."""
    return Spread(statistics.median(values), min(values), max(values))


def ratio(over: Sequence[float], under: Sequence[float]) -> Spread:
    """Divide two figures round by round."""
    return spread([one / other for one, other in zip(over, under, strict=True)])


@dataclass(frozen=True, slots=True)
class Limit:
    """A ratio that must hold, and whether it does; `decides` is False where only a quiet machine could tell."""

    what: str
    found: Spread
    at_most: float | None = None
    at_least: float | None = None
    decides: bool = True

    @property
    def holds(self) -> bool:
        """Whether the median is within the limit."""
        low = self.at_least if self.at_least is not None else float("-inf")
        high = self.at_most if self.at_most is not None else float("inf")
        return low <= self.found.median <= high

    @property
    def bound(self) -> str:
        """Write the limit."""
        return f"≤ {self.at_most:g}" if self.at_most is not None else f"≥ {self.at_least:g}"


def parser(benchmark: str, short: str) -> argparse.ArgumentParser:
    """Make the parser of a benchmark's command; `short` says what --short does."""
    made = argparse.ArgumentParser(prog=f"python -m benchmarks.{benchmark}")
    made.add_argument("--short", action="store_true", help=short)
    made.add_argument("--publish", action="store_true", help=f"write the figures into {README}")
    return made


def show(rows: Sequence[DataclassInstance]) -> str:
    """Print dataclasses of one kind: a Markdown table with a column for each, then a JSON list; return the table."""
    figures = [dataclasses.asdict(row) for row in rows]
    print(laid_out := table(figures))
    print(json.dumps(figures, indent=2))
    return laid_out


def judge(limits: Sequence[Limit]) -> tuple[str, bool]:
    """Print each limit with what was found; return them as a table, and whether all that decide hold."""
    rows = [[one.what, f"**{_significant(one.found)}**", one.bound, _verdict(one)] for one in limits]
    print(told := aligned(["ratio", "found", "limit", ""], rows))
    return told, all(one.holds for one in limits if one.decides)


def _significant(found: Spread) -> str:
    return format(found, ",.0f" if found.median >= _LARGE else ".3g")


def _verdict(limit: Limit) -> str:
    return "holds" if limit.holds else "**does not hold**" if limit.decides else "missed; decides nothing"


def publish(part: str, *texts: str) -> None:
    """Write a part of README.md: the tables, and where and when they were measured."""
    if part not in parts(README):
        raise LookupError(f"{README} has no part '{part}'")
    write(README, {part: "\n\n".join([*texts, where_and_when()])})


def where_and_when() -> str:
    """Say on which day, on which machine and how busy it was."""
    version, system = metadata.version("airbyte-source-linkless"), re.match(r"\d+\.\d+", platform.release())
    today = datetime.now(UTC)
    return (
        f"{today.day} {today:%B %Y}, version {version}, Python {platform.python_version()}, "
        f"{platform.system()} {system[0] if system else ''}, {os.cpu_count()} cores of {_processor()}, "
        f"{_memory_gigabytes():.0f} GB; load at the end {os.getloadavg()[1]:.1f}."
    )


def _processor() -> str:
    found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text(encoding="ascii"))
    return found[1] if found else platform.machine()


def _memory_gigabytes() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def table(figures: Sequence[Mapping[str, Any]]) -> str:
    """Lay figures out with a line for each name and a column for each case."""
    lines = [[name, *(_shown(one[name]) for one in figures)] for name in figures[0]]
    return aligned(lines[0], lines[1:])


def aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay rows out as a Markdown table that can be read as it is."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    first, *others = [f"| {' | '.join(map(str.ljust, line, widths))} |" for line in (head, *rows)]
    return "\n".join([first, f"|{'|'.join('-' * (width + 2) for width in widths)}|", *others])


def _shown(value: Any) -> str:
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
