"""The modules of the connector as files, for tests of their texts."""

from __future__ import annotations

import ast
from pathlib import Path

from testing.generated_parts import ROOT

CONNECTOR = ROOT / "source_linkless"
MODULES = {path.stem: path for path in CONNECTOR.rglob("*.py") if path.stem != "__init__"}
"""Every module of the connector by its name, which is used once in the package."""


def first_line(path: Path) -> str:
    """Return the first line of a module's docstring."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0]
