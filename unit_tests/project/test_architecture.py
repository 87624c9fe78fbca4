"""docs/architecture.md: its map of the modules is made from the code, and every file that it names exists."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path

import grimp

from testing.generated_parts import ROOT, prove, read, table
from testing.source_files import CONNECTOR, MODULES, first_line

PAGE = "docs/architecture.md"


@cache
def graph() -> grimp.ImportGraph:
    """Return which module of the connector imports which."""
    return grimp.build_graph("source_linkless", cache_dir=None)


def layers() -> list[str]:
    """Return the modules and wings directly in the connector, from the top layer to the lowest."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = [one for one in project["tool"]["importlinter"]["contracts"] if one["id"] == "layers"]
    return [name.strip() for layer in contract["layers"] for name in layer.split("|")]


def in_reading_order(wing: str) -> list[Path]:
    """Return the modules of a wing so that each imports only those after it; ties are in the order of their names."""
    names = {path.stem for path in (CONNECTOR / wing).glob("*.py")} - {"__init__"}
    importers = {
        name: {
            module.rpartition(".")[2]
            for module in graph().find_modules_that_directly_import(f"source_linkless.{wing}.{name}")
            if module.rpartition(".")[0] == f"source_linkless.{wing}"
        }
        for name in names
    }
    ordered: list[str] = []
    while names:
        first = min(name for name in names if not importers[name] & names)
        ordered.append(first)
        names.remove(first)
    return [CONNECTOR / wing / f"{name}.py" for name in ordered]


def the_map() -> str:
    """Return the table of all modules: layers from the top down, in each wing its face and then its modules."""
    lines = []
    for name in layers():
        if (CONNECTOR / name).is_dir():
            lines.append([f"**`{name}/`**", f"**{first_line(CONNECTOR / name / '__init__.py')}**"])
            lines += [[f"`{name}/{path.name}`", first_line(path)] for path in in_reading_order(name)]
        else:
            lines.append([f"**`{name}.py`**", first_line(CONNECTOR / f"{name}.py")])
    return table(["In `source_linkless/`", "What it does"], lines)


def test_the_map_shows_every_module() -> None:
    """Each has the first line of its docstring, in the order of the layers and of the imports within a wing."""
    prove(PAGE, {"modules": the_map()})


def test_the_files_that_it_names_exist() -> None:
    """Paths are written from the root of the repository or from `source_linkless/`."""
    named = re.findall(r"`([\w./-]+\.(?:py|json|yaml|toml|md|csv)|[\w./-]+/)`", read(PAGE))
    assert [path for path in named if not ((ROOT / path).exists() or (CONNECTOR / path).exists())] == []


def test_the_names_that_it_mentions_are_defined() -> None:
    """Each `name()`, `Class.name()` and `Class` is a function or class of the connector."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in MODULES.values())
    functions = {name.rpartition(".")[2] for name in re.findall(r"`([\w.]+)\(\)`", read(PAGE))}
    classes = set(re.findall(r"`([A-Z][a-z]\w+)(?:\.\w+\(\))?`", read(PAGE))) - {"Connecting", "Connected"}
    assert functions
    assert [
        name for name in sorted(functions) if not re.search(rf"^\s*(?:async )?def {name}\b", code, re.MULTILINE)
    ] == []
    assert [name for name in sorted(classes) if not re.search(rf"^class {name}\b", code, re.MULTILINE)] == []
