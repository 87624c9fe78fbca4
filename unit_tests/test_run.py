"""The prepared messages are the CDK's own, and everything unusual is left to the CDK.

`scripts/generate` writes them again.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from airbyte_cdk.entrypoint import AirbyteEntrypoint

from source_linkless import SourceLinkless
from source_linkless.run import prepared_message
from testing.generated_parts import ROOT

PROGRAM = Path(sys.executable).with_name("source-linkless")
CONTENT = {
    "good": b'{"environment": "live"}',
    "empty": b"",
    "array": b"[]",
    "torn": b'{"environment": ',
    "latin-1": b'{"username": "Andr\xe9"}',
    "deep": b"[" * 100_000,
}
"""Files that stand for a configuration, by name."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working directory, with the files above, a folder and a named pipe."""
    for name, content in CONTENT.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LOG_LEVEL", raising=False)
    return tmp_path


def said_by_the_cdk(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Return the answer of the CDK's own entry point, which takes over excepthook and environment, as a line."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(os, "environ", {**os.environ})
    entrypoint = AirbyteEntrypoint(SourceLinkless())
    (line,) = entrypoint.run(entrypoint.parse_args(arguments))
    return f"{line}\n".encode()


PREPARED = {"spec": ["spec"], "catalog": ["discover", "--config", "good"]}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("name", "arguments"), PREPARED.items(), ids=PREPARED)
def test_a_prepared_message_is_what_the_cdk_says(
    name: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The form in spec.yaml and the streams with their schemas are stated once; this is what the CDK makes of them."""
    said = said_by_the_cdk(arguments, monkeypatch)
    if os.environ.get("UPDATE_DOCS"):
        (ROOT / "source_linkless" / "messages" / f"{name}.json").write_bytes(said)
    assert prepared_message(arguments) == said, "not up to date: run scripts/generate"


UNUSUAL = [
    "",
    "-h",
    "spec -h",
    "spec --debug",
    "--debug spec",
    "spec more",
    "discover",
    "discover --config",
    "discover --config --debug",
    "discover --config=good",
    "discover --conf good",
    "discover --config good --debug",
    "discover --config good --manifest-path good",
    *(f"discover --config {name}" for name in CONTENT if name != "good"),
    "discover --config missing",
    "discover --config folder",
    "discover --config pipe",
    "check --config good",
    "read --config good --catalog good",
    "publish",
]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("line", UNUSUAL)
def test_whatever_is_unusual_is_left_to_the_cdk(line: str) -> None:
    """Flags, help, and configurations that the CDK refuses or that can be read only once have no prepared answer."""
    assert prepared_message(line.split()) is None


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("arguments", PREPARED.values(), ids=PREPARED)
def test_the_log_of_the_platform_is_left_to_the_cdk(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With LOG_LEVEL=debug the CDK says more than the answer."""
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    assert prepared_message(arguments) is None


def program(*arguments: str, folder: Path) -> tuple[int, list[bytes], bytes]:
    """Run the console script; return its exit code, the lines of its output and its errors."""
    run = subprocess.run([str(PROGRAM), *arguments], cwd=folder, capture_output=True, check=False)
    return run.returncode, run.stdout.splitlines(keepends=True), run.stderr


def test_the_program_says_a_prepared_message_and_nothing_else(folder: Path) -> None:
    """One line, no error, exit code 0: `spec`, and `discover` with any configuration that is an object."""
    for arguments in PREPARED.values():
        assert program(*arguments, folder=folder) == (0, [prepared_message(arguments)], b"")


def test_the_program_answers_with_flags_as_without(folder: Path) -> None:
    """The way through the CDK ends in the same catalog; the CDK may say more before it."""
    code, lines, errors = program("discover", "--config=good", folder=folder)
    assert (code, lines[-1], errors) == (0, prepared_message(PREPARED["catalog"]), b"")
