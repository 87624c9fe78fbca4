"""The layout of the code: the rules that import-linter (pyproject.toml) cannot express, and the size budgets."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from testing.generated_parts import ROOT

CONNECTOR = ROOT / "source_linkless"
SIMULATOR = ROOT / "linkless_simulator"


MAX_FILES_AT_THE_TOP = 9
MAX_WINGS = 8
MAX_MODULES = 50
MAX_LINES = 8_800
MAX_FACE = 8


def modules() -> list[Path]:
    """Return every Python file of the connector."""
    return sorted(CONNECTOR.rglob("*.py"))


def wings() -> list[Path]:
    """Return every folder of code directly in the connector."""
    return sorted(path.parent for path in CONNECTOR.glob("*/__init__.py"))


def face(wing: Path) -> list[str]:
    """Return the names that a wing offers: its `__all__`."""
    tree = ast.parse((wing / "__init__.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names: list[str] = ast.literal_eval(node.value)
            return names
    return []


def sleeps(path: Path) -> bool:
    """Tell whether a file uses a function named `sleep`."""
    return any(
        (isinstance(node, ast.Attribute) and node.attr == "sleep")
        or (isinstance(node, ast.alias) and node.name == "sleep")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    )


def named(path: Path) -> str:
    """Return a file's path as it reads from the root of the repository."""
    return path.relative_to(ROOT).as_posix()


def test_the_connector_stays_within_its_budgets() -> None:
    """A new module or a long change has to make room first: merge, delete or simplify."""
    assert len(list(CONNECTOR.glob("*.py"))) <= MAX_FILES_AT_THE_TOP
    assert len(wings()) <= MAX_WINGS
    assert len(modules()) <= MAX_MODULES
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in modules()) <= MAX_LINES


@pytest.mark.parametrize("wing", wings(), ids=named)
def test_a_wing_offers_a_few_names(wing: Path) -> None:
    """Its `__init__` lists at most eight in `__all__`."""
    assert len(face(wing)) <= MAX_FACE


def test_only_waiting_sleeps() -> None:
    """All deliberate waiting goes through `concurrency/waiting.py`, where tests replace the clock.

    `process/ending.py` waits for the reader of the output, which no clock of a test reaches.
    """
    sleeping = ["source_linkless/concurrency/waiting.py", "source_linkless/process/ending.py"]
    assert [named(path) for path in modules() if sleeps(path)] == sleeping


def test_imports_are_absolute() -> None:
    """A relative import hides which wing a name comes from."""
    files = [*modules(), *SIMULATOR.rglob("*.py")]
    assert [named(path) for path in files if re.search(r"^\s*from \.", path.read_text("utf-8"), re.MULTILINE)] == []


@pytest.mark.parametrize("wing", wings(), ids=named)
def test_other_wings_import_only_the_names_of_a_face(wing: Path) -> None:
    """import-linter sees modules; this is about names, which a submodule among them can hide."""
    package = f"source_linkless.{wing.name}"
    for path in modules():
        if wing not in path.parents:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.module == package:
                    assert {alias.name for alias in node.names} <= set(face(wing)), named(path)
