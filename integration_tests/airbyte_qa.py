"""Airbyte's connector QA on this repository: `scripts/qa` runs it in an environment of its own.

It is run twice: as the connector is (community, where most checks of the page do not apply), and as if it were
certified, so that they do. Some checks contradict the layout of this repository; each is listed with the reason.
What the checks would ask the network is answered here: the registry knows no such connector yet, and the base image
exists. Links of the page are therefore not visited.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests
import yaml
from airbyte_ops_mcp import metadata_validator
from airbyte_ops_mcp.connector_ops import utils
from airbyte_ops_mcp.connector_qa.checks import ENABLED_CHECKS, version
from airbyte_ops_mcp.connector_qa.models import CheckStatus

ROOT = Path(__file__).parent.parent
CONNECTOR = "source-linkless"

CONTRADICTED = {
    "CheckConnectorCDKTag": "It ends in an error without tool.poetry; the tag is compared in test_metadata.py.",
    "CheckConnectorUsesPoetry": "The project is PEP 621 with locks of pip, checked by hash: no poetry.lock.",
    "CheckConnectorLicenseMatchInPyproject": "It reads tool.poetry.license, not project.license (test_metadata.py).",
    "CheckConnectorVersionMatchInPyproject": "It reads tool.poetry.version, not project.version (test_metadata.py).",
    "CheckConnectorUsesPythonBaseImage": "It forbids a Dockerfile; outside Airbyte's repository an image needs one.",
    "CheckConnectorUsesHTTPSOnly": "The simulator is plain http on its own machine; elsewhere config.py refuses http.",
}
"""Checks that fail here, and why."""

AS_CERTIFIED = {"supportLevel": "certified", "ab_internal": {"sl": 300, "ql": 400}}


def main() -> int:
    """Print every result; return 1 when another check fails than those that are expected to."""
    answer_for_the_network()
    unexpected: set[str] = set()
    for label, changes in (("as it is", {}), ("as if it were certified", AS_CERTIFIED)):
        print(f"\n{CONNECTOR} {label}")
        unexpected |= judged(changes)
    if unexpected:
        print(f"\nNot as expected: {', '.join(sorted(unexpected))}")
    return 1 if unexpected else 0


def judged(changes: dict[str, Any]) -> set[str]:
    """Run every check on a copy with changed metadata; return the names of those that surprise."""
    failed = set()
    with TemporaryDirectory() as folder:
        lay_out(Path(folder), changes)
        os.chdir(folder)
        for check, result in results():
            print(f"  {result.status.name:<8} {check:<62} {first_line(result.message)}")
            if result.status is CheckStatus.FAILED:
                failed.add(check)
        os.chdir(ROOT)
    return failed ^ set(CONTRADICTED)


def results() -> Iterator[tuple[str, Any]]:
    """Yield every check by its name, with its result."""
    connector = utils.Connector(CONNECTOR)
    for check in ENABLED_CHECKS:
        try:
            result = check.run(connector)
        except KeyError as missing:  # a table of Poetry that a check takes for granted
            result = check.fail(connector, f"It ended in an error: there is no {missing}.")
        yield type(check).__name__, result


def first_line(text: str | None) -> str:
    """Return what a result says, on one line."""
    return (text or "").strip().partition("\n")[0]


def lay_out(folder: Path, changes: dict[str, Any]) -> None:
    """Copy the files of the repository to where Airbyte's own repository has them."""
    home = folder / "airbyte-integrations" / "connectors" / CONNECTOR
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - git from the PATH
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, home / name)
    shutil.move(home / "docs" / "integrations", folder / "docs" / "integrations")
    metadata = yaml.safe_load((home / "metadata.yaml").read_text("utf-8"))
    metadata["data"] |= changes
    (home / "metadata.yaml").write_text(yaml.safe_dump(metadata), encoding="utf-8")


def answer_for_the_network() -> None:
    """Answer what would be asked of the registry and of the place of the images; links are taken for good."""
    utils.download_catalog = lambda _url: {"sources": [], "destinations": []}
    metadata_validator.is_image_on_docker_hub = lambda *_arguments, **_options: True
    metadata_validator.get_latest_version_on_dockerhub = lambda _name: None
    version.CheckVersionIncrement._get_master_metadata = lambda _self, _connector: None  # noqa: SLF001 - no other seam
    requests.get = unreachable


def unreachable(*_arguments: Any, **_options: Any) -> Any:
    """Stand for a page that cannot be reached: a check of links passes over it."""
    raise requests.exceptions.ConnectionError


if __name__ == "__main__":
    sys.exit(main())
