"""The walls of the house: who may import whom, who touches network and clock, how long code may be."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import source_linkless

ROOT = Path(__file__).parents[2]
CONNECTOR = ROOT / "source_linkless"
SIMULATOR = ROOT / "linkless_simulator"

ORDER = (
    # time, threads, and what a failure means
    *("clock", "waiting", "handover", "errors", "outcomes"),
    # the configuration, and what is remembered in it
    *("fields", "fleet", "logins", "masking", "config", "links"),
    # the provider: one call, one login, all logins
    *("bodies", "bounds", "sending", "transport", "small_answers", "api"),
    *("events", "asking", "running", "echoes", "submitting", "answering", "handshake", "refreshing"),
    *("opening", "orchestration", "checking"),
    # from a document to records
    *("columns", "content", "rows", "slices", "bill_content", "documented", "personal", "statements", "documents"),
    *("charge_forms", "charge_texts", "bill_lines", "streams", "changes"),
    # from what happened to messages, and the doors
    *("verdict", "health", "check_report", "output", "sync", "source", "launch"),
    *("ending", "importing", "prepared", "run"),
    # the command `linkless`: the file, the terminal, what it does, its door
    *("json_text", "csv_text", "config_text", "config_file", "wording", "screen", "terminal", "prompting"),
    *("workspace", "choosing", "hand_linking", "standing", "tables", "rehearsal", "commands", "cli"),
)
"""The modules of the connector, lowest first: each may import only those before it."""

OWNERS = {
    "requests": {"transport"},  # every call goes through one door, with its time-outs and its masking
    "urllib3": {"bounds", "sending", "transport"},  # the same door, the watch over it, and what passes it
    "msgspec": {"slices", "documented"},  # what is only cut, and what is decoded into types
    "pendulum": {"clock"},  # dates are read and written in one way
}
"""Libraries that belong to a few modules of the connector alone."""

MAX_MODULE_LINES = 260
MAX_FUNCTION_LINES = 30

FILES = sorted([*CONNECTOR.rglob("*.py"), *SIMULATOR.rglob("*.py")])
MODULES = {path.stem: path for path in CONNECTOR.rglob("*.py") if path.stem != "__init__"}


@cache
def tree(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> Iterator[str]:
    """Yield the full dotted name of everything that a file imports, inside functions too."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} has a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def libraries(path: Path) -> set[str]:
    """Return the top-level packages that a file imports."""
    return {name.partition(".")[0] for name in imported(path)}


def siblings(path: Path) -> set[str]:
    """Return the modules of its own package that a file imports."""
    package = "source_linkless" if CONNECTOR in path.parents else path.parent.name
    names = [name.split(".") for name in imported(path) if name.startswith(f"{package}.")]
    modules = [parts[-2] if parts[-2] != package and parts[-1] not in ORDER else parts[-1] for parts in names]
    return set(modules) - {"SourceLinkless"}


def sleeps(path: Path) -> bool:
    """Tell whether a file names a `sleep` of any library."""
    return any(
        (isinstance(node, ast.Attribute) and node.attr == "sleep")
        or (isinstance(node, ast.alias) and node.name == "sleep")
        for node in ast.walk(tree(path))
    )


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the name and the number of lines of every function of a file."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def named(path: Path) -> str:
    """Return a file's path as it reads from the root of the repository."""
    return str(path.relative_to(ROOT))


def test_every_module_has_its_place_in_the_order() -> None:
    """The order names exactly the modules that exist, so that none escapes the rule below."""
    assert set(ORDER) == set(MODULES)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_only_from_its_left(module: str) -> None:
    """Imports point one way, so there is no cycle and every module can be read after those before it."""
    left = set(ORDER[: ORDER.index(module)])
    assert siblings(MODULES[module]) - left == set()


def test_the_package_offers_the_connector_and_nothing_else() -> None:
    """Whoever uses the package gets `SourceLinkless`; everything else may move."""
    assert vars(source_linkless)["__all__"] == ["SourceLinkless"]


@pytest.mark.parametrize(("library", "owners"), OWNERS.items())
def test_a_library_with_owners_is_imported_there_only(library: str, owners: set[str]) -> None:
    """The network and the calendar each have one door."""
    assert {name for name, path in MODULES.items() if library in libraries(path)} == owners


def test_only_waiting_sleeps() -> None:
    """All time that passes on purpose passes in `waiting`, where tests can make it jump."""
    assert [name for name, path in MODULES.items() if sleeps(path)] == ["waiting"]


def test_connector_and_simulator_do_not_know_each_other() -> None:
    """They share the contract alone, so an error in one cannot hide the same error in the other."""
    assert [
        named(path) for path in FILES if "linkless_simulator" in libraries(path) and CONNECTOR in path.parents
    ] == []
    assert [named(path) for path in FILES if "source_linkless" in libraries(path) and SIMULATOR in path.parents] == []


def test_the_simulator_has_no_import_cycle() -> None:
    """Its modules, too, can be put in an order in which each imports only those before it."""
    open_modules = {path.stem: siblings(path) for path in SIMULATOR.glob("*.py") if path.stem != "__init__"}
    while free := [name for name, needs in open_modules.items() if not needs & set(open_modules)]:
        for name in free:
            del open_modules[name]
    assert open_modules == {}


@pytest.mark.parametrize("path", FILES, ids=named)
def test_a_module_fits_in_the_head(path: Path) -> None:
    """No module is longer than 250 lines."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_MODULE_LINES


@pytest.mark.parametrize("path", FILES, ids=named)
def test_a_function_fits_on_a_screen(path: Path) -> None:
    """No function is longer than 30 lines."""
    assert [name for name, lines in functions(path) if lines > MAX_FUNCTION_LINES] == []
