"""The package as it is installed elsewhere: just the connector, in an environment without any of our tools."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from linkless_simulator import Simulator
from source_linkless.streams import STREAMS
from testing.connector import login_at
from testing.generated_parts import ROOT

BARE = ROOT / ".venv-bare"
"""An environment with what requirements.txt locks, kept from run to run; a change of that file makes it again."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the package from a copy of its sources, with the locked setuptools and without a network."""
    sources, target = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT / "source_linkless", sources / "source_linkless", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources)
    pip(
        Path(sys.executable),
        "wheel",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(target),
        str(sources),
    )
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def connector(wheel: Path) -> Path:
    """Install the wheel beside the locked dependencies, and nothing else; return its program."""
    subprocess.run(
        [str(ROOT / "scripts" / "environment"), BARE.name, "requirements.txt", "3.13", "3.12", "3.11"], check=True
    )
    pip(BARE / "bin" / "python", "install", "--no-index", "--no-deps", "--force-reinstall", str(wheel))
    return BARE / "bin" / "source-linkless"


def pip(python: Path, *arguments: str) -> None:
    """Run the pip of an environment."""
    subprocess.run([str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments], check=True)


def test_the_wheel_holds_just_the_package(wheel: Path) -> None:
    """Modules, form and schemas of the connector, and what describes the package; no test, simulator or demo."""
    with ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    package = ROOT / "source_linkless"
    files = {path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert names == {str(path.relative_to(ROOT)) for path in files}
    data = {"spec.yaml", "py.typed", "schemas/statements.json", "messages/spec.json"}
    data |= {"bills/charge_words.toml", "provider/outcomes.toml", "config/rules.toml"}
    assert {f"source_linkless/{name}" for name in data} <= names


def test_pip_finds_everything_it_declares(connector: Path) -> None:
    """What the package says it needs is what the lock installs, in versions that fit."""
    result = subprocess.run(
        [str(connector.with_name("python")), "-m", "pip", "check"], capture_output=True, text=True, check=False
    )
    assert result.stdout == "No broken requirements found.\n"


def test_it_runs_without_development_dependencies(connector: Path, simulator: Simulator, tmp_path: Path) -> None:
    """`spec` and `discover` answer, from a folder that is not the repository."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps(login_at(simulator, "user_good")), encoding="utf-8")
    (spec,) = answers(connector, tmp_path, "SPEC", "spec")
    (catalog,) = answers(connector, tmp_path, "CATALOG", "discover", "--config", str(config))
    assert "connectionSpecification" in spec["spec"]
    assert [stream["name"] for stream in catalog["catalog"]["streams"]] == list(STREAMS)


def answers(
    connector: Path, folder: Path, kind: str, *arguments: str
) -> list[dict[str, dict[str, list[dict[str, str]]]]]:
    """Return the messages of a type that a command prints."""
    result = subprocess.run([str(connector), *arguments], cwd=folder, capture_output=True, text=True, check=True)
    messages = [json.loads(line) for line in result.stdout.split("\n") if line]
    return [message for message in messages if message["type"] == kind]


def test_the_command_linkless_is_there(connector: Path) -> None:
    """It says its version without the connector's long imports."""
    result = subprocess.run(
        [str(connector.with_name("linkless")), "--version"], capture_output=True, text=True, check=True
    )
    assert "0." in result.stdout
