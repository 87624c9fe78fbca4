"""A pasted list of logins: from its text (JSON or CSV) to entries, and what every text of a configuration must be.

    text ─► read_entries ─► JSON when it begins with a bracket, else CSV ─► [{"key": …, "password": …}, …]

A mistake is the end of a sentence that began with the name of the field. It never repeats a value: most are secrets.
"""

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any

# The names that an entry of a pasted list may have.
FLEET_COLUMNS = ("access_token", "attempt", "key", "login_fields", "method", "password", "source_id", "username")
KNOWN = ", ".join(FLEET_COLUMNS)
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_ .-]{0,39}")
_COUNT = re.compile("[0-9]{1,9}")
_MARK = "\ufeff"  # the byte order mark: spreadsheets begin a file with it. It is no content


class UnreadableError(Exception):
    """A pasted text cannot be read; its text ends a sentence that began with the name of the field."""


def is_masked(text: str) -> bool:
    """Tell whether a form sent asterisks in place of a secret (Airbyte notes, section 4.1)."""
    return "*" in text and not text.strip().strip("*")


def is_whole(text: str) -> bool:
    """Tell whether a text can be encoded: JSON can spell half a surrogate pair, which nothing can send."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def shown_name(name: object) -> str:
    """Return the name of a property for a message; a name that may be a misplaced value is not repeated."""
    return f'"{name}"' if isinstance(name, str) and _PLAIN_NAME.fullmatch(name) else "with an unusual name"


def read_entries(entries: Any) -> list[Any]:
    """Return the entries of a pasted list, or of an array that is one already. Raises `UnreadableError`.

    A JSON entry is returned as it is, whatever its type. A CSV entry is a dict without its empty cells.
    """
    if isinstance(entries, str):
        entries = read_json(entries) if looks_like_json(entries) else list(_csv_entries(entries.removeprefix(_MARK)))
    if not isinstance(entries, list):
        raise UnreadableError("must be a JSON array: put the logins between [ and ]")
    if not entries:
        raise UnreadableError("holds no login: paste at least one")
    return entries


def looks_like_json(text: str) -> bool:
    """Tell whether a pasted text is meant as JSON: no header line of CSV begins with a bracket."""
    return text.removeprefix(_MARK).lstrip().startswith(("[", "{"))


def read_json(text: str) -> Any:
    """Return the value of a JSON text in which no object names a property twice. Raises `UnreadableError`."""
    try:
        return json.loads(text.removeprefix(_MARK), object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        problem = f"is not valid JSON (line {error.lineno}, column {error.colno})"
    except ValueError:
        problem = "is not valid JSON (it holds a number with too many digits)"
    except RecursionError:
        problem = "is not valid JSON (it is nested too deeply)"
    raise UnreadableError(problem)  # outside the handlers: the error of `json` carries the whole text


def csv_reader(text: str) -> Any:
    """Return a reader of CSV. Spreadsheets of some countries write semicolons; cells copied out of one have tabs."""
    delimiter = max(",;\t", key=text.lstrip().partition("\n")[0].count)
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise UnreadableError(f"gives the property {shown_name(name)} twice in one object")
        found[name] = value
    return found


def _csv_entries(text: str) -> Iterator[dict[str, Any]]:
    reader = csv_reader(text)
    rows = (cells for cells in reader if any(map(str.strip, cells)))
    try:
        columns = _columns(next(rows, []))
        for cells in rows:
            if any(cells[len(columns) :]):
                advice = "put a cell that holds a comma or a quote in quotes"
                raise UnreadableError(f"has too many cells in line {reader.line_num}: {advice}")
            entry: dict[str, Any] = {name: cell for name, cell in zip(columns, cells, strict=False) if cell.strip()}
            if _COUNT.fullmatch(entry.get("attempt", "").strip()):  # a number in JSON; all other cells are text
                entry["attempt"] = int(entry["attempt"])
            yield entry
    except csv.Error:
        problem = f"is not valid CSV (line {reader.line_num}): close every quote, and double it inside a cell"
        raise UnreadableError(problem) from None


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
