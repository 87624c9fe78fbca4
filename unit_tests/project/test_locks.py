"""The lock files: complete, checked by hash, naming no host, and in step with pyproject.toml."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RUNTIME: list[str] = PROJECT["project"]["dependencies"]
GROUPS: dict[str, list[str]] = PROJECT["dependency-groups"]

LOCKS = {
    "requirements.txt": RUNTIME,
    "requirements-dev.txt": [*RUNTIME, *GROUPS["dev"]],
    "requirements-demo.txt": GROUPS["demo"],
}
"""What each lock file must satisfy."""


def pins(name: str) -> list[tuple[Requirement, int]]:
    """Return every requirement of a lock file and the number of its hashes."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    return [(Requirement(line.partition(" --hash")[0]), line.count("--hash=sha256:")) for line in lines]


def imported() -> set[str]:
    """Return the packages that the connector imports and Python does not bring."""
    names: set[str] = set()
    for path in (ROOT / "source_linkless").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names |= {module.partition(".")[0] for module in modules}
    return names - sys.stdlib_module_names - {"source_linkless"}


def test_what_the_connector_imports_is_named_as_a_dependency() -> None:
    """Nothing is used that is only there because something else happens to need it, and nothing is named in vain."""
    declared = {Requirement(text).name.replace("-", "_") for text in RUNTIME}
    assert imported() - declared == set()
    assert declared - imported() == set()


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_host(name: str) -> None:
    """The person who installs chooses the registry."""
    assert re.findall(r"^\s*-{1,2}\w.*index.*$|find-links|://", (ROOT / name).read_text(), re.MULTILINE) == []


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_has_one_version_and_hashes(name: str) -> None:
    """Nothing is installed that was not looked at when the lock was made."""
    assert [
        str(pin) for pin, hashes in pins(name) if not re.fullmatch(r"==[^*,]+", str(pin.specifier)) or not hashes
    ] == []


@pytest.mark.parametrize(("name", "wanted"), LOCKS.items())
def test_a_lock_is_in_step_with_the_project(name: str, wanted: list[str]) -> None:
    """Every dependency that pyproject.toml names is locked, in a version that it allows: else run scripts/lock."""
    locked = {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin, _ in pins(name)}
    requirements = [Requirement(text) for text in wanted]
    assert [str(r) for r in requirements if locked[canonicalize_name(r.name)] not in r.specifier] == []


def test_the_tests_run_what_is_shipped() -> None:
    """Runtime packages have the same versions in the environment of the tests as in the image.

    A tool may want one on every platform that is shipped for one platform alone.
    """
    shipped = {f"{pin.name}{pin.specifier}" for pin, _ in pins("requirements.txt")}
    assert shipped - {f"{pin.name}{pin.specifier}" for pin, _ in pins("requirements-dev.txt")} == set()
