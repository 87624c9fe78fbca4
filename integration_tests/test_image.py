"""The image, as Docker, the platform and Kubernetes start it; `scripts/image` builds it first. It needs docker.

Every run has a read-only root file system, a writable /tmp, no capabilities and no new privileges.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from linkless_simulator import Simulator
from testing.connector import catalog_json, login_at
from testing.generated_parts import ROOT, read

pytestmark = pytest.mark.image_tests

IMAGE = os.environ.get("IMAGE", "airbyte/source-linkless:dev")
LOCKED = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")  # noqa: S108 - in the container
STARTED = "Connecting"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Return a folder that every user may read: the container's is another one."""
    tmp_path.chmod(0o755)
    (tmp_path / "catalog.json").write_text(json.dumps(catalog_json()), encoding="utf-8")
    return tmp_path


def configured(folder: Path, simulator: Simulator, username: str, **options: Any) -> None:
    """Write the configuration of a login."""
    (folder / "config.json").write_text(json.dumps(login_at(simulator, username, **options)), encoding="utf-8")


def command(folder: Path, *arguments: str, options: tuple[str, ...] = ()) -> list[str]:
    """Return the command that runs the image with files of a folder; the simulator is on the loopback."""
    mount = ("--volume", f"{folder}:/files:ro")
    return ["docker", "run", "--rm", "--network", "host", *LOCKED, *mount, *options, IMAGE, *arguments]


def said(folder: Path, *arguments: str, options: tuple[str, ...] = (), code: int = 0) -> list[dict[str, Any]]:
    """Run the image and return its messages; every line of its output must be one."""
    result = subprocess.run(
        command(folder, *arguments, options=options), capture_output=True, text=True, check=False, timeout=300
    )
    assert result.returncode == code, result.stdout + result.stderr
    return [json.loads(line) for line in result.stdout.split("\n") if line]


def kinds(messages: list[dict[str, Any]]) -> set[str]:
    """Return the types of messages, without those of the log."""
    return {message["type"] for message in messages} - {"LOG"}


def read_arguments(folder: Path) -> tuple[str, ...]:
    """Return the arguments of a read of every stream."""
    assert (folder / "catalog.json").exists()
    return ("read", "--config", "/files/config.json", "--catalog", "/files/catalog.json")


def test_spec_starts_in_every_way(files: Path) -> None:
    """As the image says, as the platform does through a shell, and as any user, such as one that OpenShift makes up."""
    shell = ("--entrypoint", "sh")
    assert kinds(said(files, "spec")) == {"SPEC"}
    assert kinds(said(files, "-c", 'eval "$AIRBYTE_ENTRYPOINT spec"', options=shell)) == {"SPEC"}
    assert kinds(said(files, "spec", options=("--user", "12345:0"))) == {"SPEC"}


def test_check_discover_and_read_work(files: Path, simulator: Simulator) -> None:
    """Through the whole flow, from the login to the records, with a configuration that is written back."""
    configured(files, simulator, "user_good+image")
    config = ("--config", "/files/config.json")
    assert kinds(said(files, "check", *config)) == {"CONNECTION_STATUS", "CONTROL"}
    assert kinds(said(files, "discover", *config)) == {"CATALOG"}
    assert {"RECORD", "STATE", "CONTROL"} <= kinds(said(files, *read_arguments(files)))


def test_exit_codes_pass_through(files: Path, simulator: Simulator) -> None:
    """A failed check is an answer; a failed sync is an error."""
    configured(files, simulator, "wrong_password+image")
    messages = said(files, "check", "--config", "/files/config.json")
    (status,) = [
        message["connectionStatus"]["status"] for message in messages if message["type"] == "CONNECTION_STATUS"
    ]
    assert status == "FAILED"
    assert "TRACE" in kinds(said(files, *read_arguments(files), code=1))


def test_sigterm_ends_it_within_a_second(files: Path, simulator: Simulator) -> None:
    """As process 1, while it waits for a login: exit code 143, and no half line."""
    configured(files, simulator, "never_connects+image")
    process = subprocess.Popen(
        command(files, *read_arguments(files), options=("--name", "linkless-sigterm")),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    while STARTED not in process.stdout.readline():
        assert process.poll() is None
    started = time.monotonic()
    subprocess.run(["docker", "kill", "--signal", "TERM", "linkless-sigterm"], check=True, capture_output=True)  # noqa: S607 - docker from the PATH
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 143
    assert time.monotonic() - started < 2, "the connector needs a second at most; a second more is docker's"
    assert rest == "" or rest.endswith("\n")


def test_labels_and_user_are_those_of_the_metadata() -> None:
    """What a registry shows of the image."""
    (image,) = json.loads(
        subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True, text=True, check=True).stdout  # noqa: S607 - as above
    )
    label = {"io.airbyte.name": "airbyte/source-linkless"}
    assert image["Config"]["Labels"].items() >= label.items()
    assert f"dockerImageTag: {image['Config']['Labels']['io.airbyte.version']}\n" in read("metadata.yaml")
    assert image["Config"]["User"] == "1000:1000"


def test_nothing_is_in_it_that_is_not_needed(files: Path) -> None:
    """No test, no simulator, no pip that could install something; the connector's byte code is there."""
    script = "import importlib.util as u, pathlib, source_linkless as s; print([bool(u.find_spec(n)) for n in ('pip', 'linkless_simulator', 'pytest')], (pathlib.Path(s.__file__).parent / '__pycache__').is_dir())"  # noqa: E501 - one line for the shell
    result = subprocess.run(
        command(files, "-c", script, options=("--entrypoint", "/opt/venv/bin/python")),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert result.stdout == "[False, False, False] True\n"


def test_the_shell_script_keeps_links_and_state(tmp_path: Path, simulator: Simulator) -> None:
    """Two syncs by examples/docker_sync.sh: the second submits nothing and sends only the row of the login."""
    configured(tmp_path, simulator, "user_good+script")
    for _ in range(2):
        script = [str(ROOT / "examples" / "docker_sync.sh"), str(tmp_path), "--network", "host"]
        subprocess.run(script, check=True, timeout=300, env=os.environ | {"IMAGE": IMAGE}, capture_output=True)
    assert simulator.backend.count("/link/connect", "user_good+script") == 1
    first, second = sorted((tmp_path / "records").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert first.read_text("utf-8").count("\n") > 10
    assert [json.loads(line)["stream"] for line in second.read_text("utf-8").splitlines()] == ["connections"]
