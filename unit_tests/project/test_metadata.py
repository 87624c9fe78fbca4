"""metadata.yaml and icon.svg: what Airbyte's registry, its form and its build know of the connector."""

from __future__ import annotations

import re
import subprocess
import tomllib
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from source_linkless.streams import STREAMS
from testing.generated_parts import ROOT, read

METADATA: dict[str, Any] = yaml.safe_load(read("metadata.yaml"))["data"]
PROJECT: dict[str, Any] = tomllib.loads(read("pyproject.toml"))["project"]
CONTRACT: dict[str, Any] = yaml.safe_load(read("contract/openapi.yaml"))
SPEC: dict[str, Any] = yaml.safe_load(read("source_linkless/spec.yaml"))

VERSIONS = {
    "metadata.yaml": r"^  dockerImageTag: (\S+)$",
    "pyproject.toml": r'^version = "(.+)"$',
    "Dockerfile": r"\bio\.airbyte\.version=(\S+)",
    "CHANGELOG.md": r"^## \[([^\]]+)\]",
    "docs/integrations/sources/linkless.md": r"^\| *(\d\S*) *\|",
}
"""Where the version stands, and how; in the two lists of changes the newest is the first."""

PUBLISHED_MODEL = """
import sys, yaml
from airbyte_connector_models.metadata.v0.connector_metadata_definition_v0 import ConnectorMetadataDefinitionV0
print(ConnectorMetadataDefinitionV0.model_validate(yaml.safe_load(open(sys.argv[1]))).data.name)
"""


def test_the_metadata_is_valid_by_the_published_model() -> None:
    """Airbyte's own model, in the environment of the demo, accepts the file; it refuses every unknown key."""
    python = ROOT / ".venv-demo" / "bin" / "python"
    assert python.exists(), (
        "the published model needs .venv-demo: scripts/environment .venv-demo requirements-demo.txt 3.12"
    )
    result = subprocess.run(
        [str(python), "-c", PUBLISHED_MODEL, str(ROOT / "metadata.yaml")], capture_output=True, text=True, check=False
    )
    assert (result.stdout, result.returncode) == ("Linkless\n", 0), result.stderr


@pytest.mark.parametrize("document", VERSIONS)
def test_the_version_is_the_same_everywhere(document: str) -> None:
    """Image, package, labels and both lists of changes speak of one version."""
    found = re.search(VERSIONS[document], read(document), re.MULTILINE)
    assert found is not None
    assert found[1] == PROJECT["version"]


def test_the_first_version_is_not_a_major_one() -> None:
    """The registry takes N.0.0 for a breaking change, and refuses it without a migration guide."""
    assert not METADATA["dockerImageTag"].endswith(".0.0")


def test_names_agree() -> None:
    """Image, labels, package and licence are called the same in every file."""
    assert f"io.airbyte.name={METADATA['dockerRepository']} " in read("Dockerfile")
    assert METADATA["remoteRegistries"]["pypi"]["packageName"] == PROJECT["name"]
    assert METADATA["githubIssueLabel"] in PROJECT["scripts"]
    assert METADATA["license"] == PROJECT["license"]


def test_the_base_image_is_that_of_the_dockerfile() -> None:
    """One base image, named with its digest."""
    base = METADATA["connectorBuildOptions"]["baseImage"]
    assert re.fullmatch(r"[\w./-]+:[\w.]+@sha256:[0-9a-f]{64}", base)
    assert f"ARG BASE_IMAGE={base}\n" in read("Dockerfile")


def test_the_allowed_hosts_are_those_of_both_environments() -> None:
    """On Airbyte Cloud the connector reaches the provider and nothing else."""
    servers = [re.sub(r"^https://([^/]+)/.*", r"\1", server["url"]) for server in CONTRACT["servers"]]
    assert METADATA["allowedHosts"]["hosts"] == servers


def test_the_suggested_streams_exist() -> None:
    """All streams but the one that holds the same bills once more."""
    assert METADATA["suggestedStreams"]["streams"] == [
        name for name, stream in STREAMS.items() if name != "sustainability" and not stream.has_files
    ]


def test_the_page_is_the_one_that_the_form_links_to() -> None:
    """Form and registry lead to the same page, which lies in Airbyte's place for it."""
    page = METADATA["documentationUrl"]
    assert page == SPEC["documentationUrl"]
    assert (ROOT / "docs/integrations/sources" / f"{page.rpartition('/')[2]}.md").exists()


def test_the_icon_is_a_square_drawing_of_its_own() -> None:
    """It scales, has no text that a font would change, and loads nothing."""
    root = ET.fromstring(read(METADATA["icon"]))  # noqa: S314 - a file of this repository
    left, top, width, height = root.attrib["viewBox"].split()
    assert (left, top, width) == ("0", "0", height)
    kinds = {element.tag.removeprefix("{http://www.w3.org/2000/svg}") for element in root.iter()}
    assert kinds == {"svg", "title", "rect", "path"}
