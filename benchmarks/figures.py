"""Figures of a benchmark as a table for people and as JSON for programs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def show(rows: Sequence[DataclassInstance]) -> None:
    """Print dataclasses of one kind: a Markdown table with a column for each, then a JSON list."""
    figures = [dataclasses.asdict(row) for row in rows]
    print(table(figures))
    print(json.dumps(figures, indent=2))


def table(figures: Sequence[dict[str, Any]]) -> str:
    """Lay figures out with a line for each name and a column for each case."""
    lines = [[name, *(_shown(one[name]) for one in figures)] for name in figures[0]]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    head, *body = [f"| {' | '.join(map(str.ljust, line, widths))} |" for line in lines]
    return "\n".join([head, f"|{'|'.join('-' * (width + 2) for width in widths)}|", *body])


def _shown(value: Any) -> str:
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
