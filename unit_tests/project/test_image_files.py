"""Dockerfile and .dockerignore, as far as they can be judged without a container engine (scripts/image has one)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from testing.generated_parts import ROOT, read

DOCKERFILE = read("Dockerfile")
INSTRUCTIONS = re.sub(r"\\\n\s*", " ", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE)).splitlines()
"""The Dockerfile without comments, one instruction a line."""


def of(kind: str) -> list[str]:
    """Return the arguments of every instruction of a kind, in order."""
    return [line.removeprefix(f"{kind} ") for line in INSTRUCTIONS if line.startswith(f"{kind} ")]


def test_hadolint_finds_nothing() -> None:
    """No rule of the linter is broken, and none is switched off."""
    program = Path(sys.executable).with_name("hadolint")
    result = subprocess.run([str(program), str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (result.stdout, result.returncode) == ("", 0)
    assert "hadolint" not in DOCKERFILE


def test_every_engine_can_build_it() -> None:
    """Nothing that needs a newer front end than the engine's own."""
    assert [reason for reason in ("syntax=", "<<", "--link", "--mount") if reason in DOCKERFILE] == []


def test_both_stages_stand_on_the_same_base() -> None:
    """The environment is built with the Python that runs it."""
    assert [line.split()[0] for line in of("FROM")] == ["${BASE_IMAGE}"] * 2


def test_it_does_not_run_as_root() -> None:
    """The last user is a number, so that Kubernetes can see that it is not root."""
    assert of("USER") == ["1000:1000"]


def test_both_ways_to_start_it_are_the_same() -> None:
    """Docker runs the entry point, in exec form; the platform what AIRBYTE_ENTRYPOINT says."""
    (entry,) = of("ENTRYPOINT")
    (environment,) = of("ENV")
    assert json.loads(entry) == ["/opt/venv/bin/source-linkless"]
    assert "AIRBYTE_ENTRYPOINT=/opt/venv/bin/source-linkless" in environment.split()


def test_dependencies_are_a_layer_of_their_own() -> None:
    """They are installed by hash before the package is copied; the package brings nothing else."""
    copied = [number for number, line in enumerate(INSTRUCTIONS) if line.startswith("COPY source_linkless")]
    (locked,) = [number for number, line in enumerate(INSTRUCTIONS) if "--require-hashes" in line]
    assert [locked < number for number in copied] == [True]
    installs = [line for line in of("RUN") if "pip " in line and " install" in line]
    assert all("--no-deps" in line for line in installs)
    assert "--no-build-isolation" in installs[-1]


def test_only_what_is_copied_can_get_in() -> None:
    """Everything is ignored but the files of the COPY lines: no secret lands in an image by accident."""
    lines = [line for line in read(".dockerignore").splitlines() if not line.startswith("#")]
    copied = [reason for line in of("COPY") if "--from" not in line for reason in line.split()[:-1]]
    assert lines == ["*", *(f"!{name}" for name in copied), "**/__pycache__"]
