"""Every page of the documentation: its links, commands, scripts and examples are right."""

from __future__ import annotations

import json
import os
import re

import pytest

from source_linkless.cli.command_line import main
from source_linkless.config import parse_config
from testing.documents import PAGES, anchors, blocks, links
from testing.generated_parts import ROOT, read

MORE_PAGES = [
    *("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "dbt/README.md"),
    *("examples/README.md", "benchmarks/README.md", "linkless_simulator/README.md"),
]
ALL_PAGES = [*PAGES, *MORE_PAGES]


@pytest.mark.parametrize("page", ALL_PAGES)
def test_every_link_resolves(page: str) -> None:
    """Links to files, and to titles in them."""
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = ((ROOT / page).parent / name).resolve() if name else ROOT / page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.relative_to(ROOT).as_posix()), link


@pytest.mark.parametrize("page", ALL_PAGES)
def test_the_scripts_that_a_page_names_exist(page: str) -> None:
    """Each `scripts/…` can be run."""
    named = set(re.findall(r"\bscripts/(\w+)", read(page)))
    assert [name for name in sorted(named) if not os.access(ROOT / "scripts" / name, os.X_OK)] == []


@pytest.mark.parametrize("page", ALL_PAGES)
def test_the_commands_of_linkless_exist(page: str) -> None:
    """Each `linkless NAME` is a command."""
    named = set(re.findall(r"`linkless ([a-z]+)|^\$ linkless ([a-z]+)", read(page), re.MULTILINE))
    assert {"".join(names) for names in named} - set(main.commands) == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_example_of_a_configuration_is_accepted(page: str) -> None:
    """With secrets written as dots, which are texts like any other."""
    keys = {"environment": "live", "client_id": "client", "secret": "secret"}
    for block in blocks(page, "json"):
        example = json.loads(block)
        if isinstance(example, list):
            parse_config({**keys, "connection": {"method": "fleet", "connections": block}})
        elif "connection_key" not in example:  # otherwise it is a sample of a record
            parse_config(example)
    for block in blocks(page, "csv"):
        parse_config({**keys, "connection": {"method": "fleet", "connections": block}})


@pytest.mark.parametrize("page", PAGES)
def test_every_example_in_python_compiles(page: str) -> None:
    """The names that it imports are tested where it is run: the demo and the examples."""
    for block in blocks(page, "python"):
        compile(block, page, "exec")


def test_every_script_has_a_place_in_the_documentation() -> None:
    """README or CONTRIBUTING says what it is for."""
    said = read("README.md") + read("CONTRIBUTING.md")
    scripts = sorted(path.name for path in (ROOT / "scripts").iterdir() if path.is_file())
    assert [name for name in scripts if f"scripts/{name}" not in said] == []


def test_every_page_is_reached_from_the_readme() -> None:
    """Each page of docs/ is linked there."""
    assert [
        page
        for page in PAGES
        if page != "README.md" and page not in {link.partition("#")[0] for link in links("README.md")}
    ] == []


def test_the_simulator_has_a_map_of_its_own() -> None:
    """Its README names every module."""
    text = read("linkless_simulator/README.md")
    names = [path.name for path in (ROOT / "linkless_simulator").glob("*.py") if path.stem != "__init__"]
    assert [name for name in names if f"`{name}`" not in text] == []
