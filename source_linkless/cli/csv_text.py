"""Change one line of a CSV text and leave every other character as it is. Lines are read as in `fleet`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from source_linkless.config.logins import delimiter_of


@dataclass(frozen=True, slots=True)
class _Row:
    """The lines of the text that a row takes, the header being row 0, and its cells."""

    first: int
    end: int
    cells: list[str]


def replaced(text: str, number: int, column: str, value: str) -> str:
    """Return the text with `value` in the row `number` (from 0, header not counted) of a column.

    Raises KeyError when the header does not have the column.
    """
    rows = list(_rows(text))
    names = [cell.strip().lower() for cell in rows[0].cells]
    if column not in names:
        raise KeyError(column)
    row, place = rows[number + 1], names.index(column)
    cells = row.cells + [""] * (place + 1 - len(row.cells))
    cells[place] = value
    return _with(text, row, _written(cells, delimiter_of(text)))


def removed(text: str, number: int) -> str:
    """Return the text without the row `number` (from 0, header not counted)."""
    return _with(text, list(_rows(text))[number + 1], None)


def _rows(text: str) -> Iterator[_Row]:
    lines = _lines(text)
    reader = csv.reader(lines, delimiter=delimiter_of(text), skipinitialspace=True, strict=True)
    first = 0
    for cells in reader:
        if any(cell.strip("\ufeff \t") for cell in cells):
            yield _Row(first, reader.line_num, [cell.removeprefix("\ufeff") for cell in cells])
        first = reader.line_num


def _lines(text: str) -> list[str]:
    return list(io.StringIO(text, newline=""))


def _written(cells: list[str], delimiter: str) -> str:
    line = io.StringIO(newline="")
    csv.writer(line, delimiter=delimiter, lineterminator="").writerow(cells)
    return line.getvalue()


def _with(text: str, row: _Row, written: str | None) -> str:
    lines = _lines(text)
    last = lines[row.end - 1]
    ending = last[len(last.rstrip("\r\n")) :]
    new = [] if written is None else [written + ending]
    return "".join([*lines[: row.first], *new, *lines[row.end :]])
