"""The files around the code agree with each other: pre-commit, workflows, scripts and pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import yaml

from testing.forking import PRELOADED
from testing.generated_parts import ROOT, read

PROJECT: dict[str, Any] = tomllib.loads(read("pyproject.toml"))["project"]
LINT = read("scripts/lint")
CHECKS = re.findall(r"^(\w+)\(\) \{", LINT.partition("\n}\n")[2], re.MULTILINE)
"""The checks of scripts/lint: its functions after the helper."""


def test_lint_runs_every_check_unless_told_otherwise() -> None:
    """The default is the whole list, and the usage names it."""
    (default,) = re.findall(r"set -- ([a-z ]+)$", LINT, re.MULTILINE)
    assert default.split() == CHECKS
    assert f"or all: {', '.join(CHECKS)}." in LINT.replace("\n# ", " ")


def test_pre_commit_runs_the_checks_of_lint() -> None:
    """Each check is one hook, in the same order."""
    (repo,) = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    assert [hook["entry"] for hook in repo["hooks"]] == [f"scripts/lint {check}" for check in CHECKS]


def test_ci_tests_every_python_that_is_supported() -> None:
    """The matrix of the workflow has the versions of the classifiers."""
    workflow = yaml.safe_load(read(".github/workflows/tests.yml"))
    supported = [name.rpartition(" ")[2] for name in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", name)]
    assert workflow["jobs"]["tests"]["strategy"]["matrix"]["python"] == supported


def test_the_workflows_use_the_same_version_of_an_action() -> None:
    """A version is raised everywhere at once."""
    names = ("tests", "image", "audit")
    uses = {line for name in names for line in re.findall(r"uses: (.+)", read(f".github/workflows/{name}.yml"))}
    assert len({use.partition("@")[0] for use in uses}) == len(uses)


def test_every_module_that_forks_is_imported_by_the_fork_server() -> None:
    """A forked process of another module would import it first, which takes longer than most runs."""
    forking = [path for path in (ROOT / "testing").glob("*.py") if "FORKING.Process(" in path.read_text("utf-8")]
    assert sorted(f"testing.{path.stem}" for path in forking) == sorted(PRELOADED)
