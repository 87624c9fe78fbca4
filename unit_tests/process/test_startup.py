"""What is imported and read before the connector answers: counted in modules, since time depends on the machine.

Imports are most of what a command costs; one of `typing`, `re` or `logging` where it is not needed would pass unseen.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from testing.generated_parts import ROOT

WATCHED = """
import os, sys
{first}
sys.argv[1:] = {arguments!r}
before = set(sys.modules)
exec(open("main.py").read())
print(*sorted(set(sys.modules) - before), file=sys.stderr)
"""
"""Runs main.py, which does what the console script does, and tells on stderr what was imported."""
ENTRY = {"source_linkless", "source_linkless.run"}


def imports(*arguments: str, first: str = "", options: tuple[str, ...] = ("-S",)) -> set[str]:
    """Return the modules that a command imports, by default on a Python that has not even looked for packages."""
    program = WATCHED.format(first=first, arguments=list(arguments))
    run = subprocess.run(
        [sys.executable, *options, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(run.stderr.split())


@pytest.fixture
def config(tmp_path: Path) -> str:
    """Return the path of a configuration that is an object and nothing more."""
    path = tmp_path / "config.json"
    path.write_text("{}", encoding="utf-8")
    return str(path)


def test_the_form_is_shown_without_any_import() -> None:
    """`spec` needs one small module of ours beside the package, and nothing of Python's library."""
    assert imports("spec") == ENTRY


def test_the_catalog_is_shown_with_no_import_but_json(config: str) -> None:
    """`discover` reads the configuration, so it needs `json` and what that needs itself."""
    assert imports("discover", "--config", config, first="import json") == ENTRY | {"source_linkless.json_files"}


def test_a_sync_imports_nothing_for_the_command_linkless(config: str) -> None:
    """Beyond the CDK the connector needs a calendar and a JSON decoder; no tables, no terminal, no command line."""
    imported = imports("check", "--config", config, first="import airbyte_cdk", options=())
    assert "source_linkless.process.launch" in imported
    packages = {name.partition(".")[0] for name in imported} - sys.stdlib_module_names
    assert packages <= {"source_linkless", "pendulum", "msgspec"}
