"""How a pasted text becomes data: JSON, or CSV with a header line.

The errors say where a text is broken, never what stands there.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any

from source_linkless.config.fields import shown_name

FLEET_COLUMNS = (
    "access_token",
    "attempt",
    "key",
    "login_fields",
    "method",
    "password",
    "source_id",
    "username",
)
"""The names that an entry of a pasted list may have."""

KNOWN = ", ".join(FLEET_COLUMNS)
PASTED_LIST = "In the pasted list (connection.connections)"
"""How the sentence about an entry begins."""

_COUNT = re.compile("[0-9]{1,9}")


class UnreadableError(Exception):
    """A pasted text cannot be read; its text ends a sentence that began with the name of the field."""


def read_entries(text: str) -> list[Any]:
    """Return the entries of a pasted list: a JSON array when it begins with a bracket, else CSV.

    A JSON entry is returned as it is, whatever its type. A CSV entry is a dict without its empty cells.
    Raises `UnreadableError`.
    """
    entries = read_json(text) if looks_like_json(text) else list(_csv_entries(_without_mark(text)))
    if not isinstance(entries, list):
        raise UnreadableError("must be a JSON array: put the logins between [ and ]")
    if not entries:
        raise UnreadableError("holds no login: paste at least one")
    return entries


def looks_like_json(text: str) -> bool:
    """Tell whether a pasted text is meant as JSON: no header line of CSV begins with a bracket."""
    return _without_mark(text).lstrip()[:1] in ("[", "{")


def read_json(text: str) -> Any:
    """Return the value of a JSON text in which no object names a property twice. Raises `UnreadableError`.

    The error is raised outside the handlers on purpose: the one of `json` carries the whole text.
    """
    try:
        return json.loads(_without_mark(text), object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        problem = f"is not valid JSON (line {error.lineno}, column {error.colno})"
    except ValueError:
        problem = "is not valid JSON (it holds a number with too many digits)"
    except RecursionError:
        problem = "is not valid JSON (it is nested too deeply)"
    raise UnreadableError(problem)


def delimiter_of(text: str) -> str:
    """Return what divides the cells of a CSV text.

    Spreadsheets of some countries write semicolons, and cells copied out of one are divided by tabs.
    """
    header = text.lstrip().partition("\n")[0]
    return max(",;\t", key=header.count)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise UnreadableError(f"gives the property {shown_name(name)} twice in one object")
        found[name] = value
    return found


def _without_mark(text: str) -> str:
    """Spreadsheets begin a file with a byte order mark, which is no content."""
    return text.removeprefix("\ufeff")


def _csv_entries(text: str) -> Iterator[dict[str, Any]]:
    rows = _csv_rows(text)
    _, header = next(rows, (0, []))
    columns = _columns(header)
    for line, cells in rows:
        if any(cells[len(columns) :]):
            raise UnreadableError(
                f"has too many cells in line {line}: put a cell that holds a comma or a quote in quotes"
            )
        yield {name: _cell(name, cell) for name, cell in zip(columns, cells, strict=False) if cell.strip()}


def _csv_rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank, each with the number of its last line. Raises `UnreadableError`."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text), skipinitialspace=True, strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error:  # its own text may quote the cell
        problem = f"is not valid CSV (line {reader.line_num}): close every quote, and double it inside a cell"
    else:
        return
    raise UnreadableError(problem)


def _columns(header: list[str]) -> list[str]:
    columns = [cell.strip().lower() for cell in header]
    while columns and not columns[-1]:
        columns.pop()
    # A list without its header would have its first login quoted as unknown columns.
    if len(set(columns) & set(FLEET_COLUMNS)) < 2:  # noqa: PLR2004 - one name alone may be somebody's value
        raise UnreadableError(f"must be a JSON array, or CSV whose first line names the columns (known are {KNOWN})")
    for number, name in enumerate(columns, start=1):
        if name not in FLEET_COLUMNS:  # not repeated: a paste that lost its line ends has passwords in its first line
            raise UnreadableError(f"has an unknown column, number {number} of its first line (known are {KNOWN})")
        if columns.count(name) > 1:
            raise UnreadableError(f"has the column {shown_name(name)} twice")
    return columns


def _cell(name: str, cell: str) -> str | int:
    """All cells are text; only `attempt` is a number, and what is none is left to the check of the field."""
    return int(cell) if name == "attempt" and _COUNT.fullmatch(cell.strip()) else cell
