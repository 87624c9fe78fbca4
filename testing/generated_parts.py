"""Parts of the documentation that are made from the code: a test compares each with what it should be now.

    <!-- generated: NAME -->
    what a test wrote, never edited by hand
    <!-- end -->

`scripts/generate` writes them (UPDATE_DOCS=1); it fails when a part has no place in the document.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
_PART = re.compile(r"<!-- generated: (?P<name>[^>]+?) -->\n(?P<text>.*?)\n?<!-- end -->", re.DOTALL)


def read(document: str) -> str:
    """Return the text of a document, named by its path from the root of the repository."""
    return (ROOT / document).read_text(encoding="utf-8")


def parts(document: str) -> dict[str, str]:
    """Return the generated parts of a document by name."""
    return {match["name"]: match["text"] for match in _PART.finditer(read(document))}


def prove(document: str, expected: Mapping[str, str]) -> None:
    """Assert that the named parts of a document say what is expected; with UPDATE_DOCS=1 write them first."""
    if os.environ.get("UPDATE_DOCS"):
        write(document, expected)
    found = parts(document)
    stale = [name for name, text in expected.items() if found.get(name) != text]
    assert not stale, f"{document} is not up to date ({', '.join(stale)}): run scripts/generate"


def write(document: str, expected: Mapping[str, str]) -> None:
    """Write the named parts of a document again."""
    written = _PART.sub(lambda match: _written(match, expected), read(document))
    (ROOT / document).write_text(written, encoding="utf-8")


def _written(match: re.Match[str], expected: Mapping[str, str]) -> str:
    text = expected.get(match["name"], match["text"])
    return f"<!-- generated: {match['name']} -->\n{text}\n<!-- end -->"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
