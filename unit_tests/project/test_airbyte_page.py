"""The page for Airbyte's documentation: it stands alone, so it repeats what the form and the other pages say."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from source_linkless.streams import STREAMS
from testing.generated_parts import parts, prove, read

PAGE = "docs/integrations/sources/linkless.md"
FORM: dict[str, Any] = yaml.safe_load(read("source_linkless/spec.yaml"))["connectionSpecification"]
METHODS: list[dict[str, Any]] = FORM["properties"]["connection"]["oneOf"]
TITLES = [
    schema["title"]
    for properties in (FORM["properties"], *(method["properties"] for method in METHODS))
    for schema in properties.values()
    if "title" in schema and not schema.get("airbyte_hidden")
]


def section(title: str) -> str:
    """Return the text of a section, its sections included."""
    match = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^#{{1,2}} |\Z)", read(PAGE), re.MULTILINE | re.DOTALL)
    assert match is not None
    return match[2]


@pytest.mark.parametrize("title", sorted({*TITLES, *(method["title"] for method in METHODS)}))
def test_every_field_of_the_form_is_explained(title: str) -> None:
    """By the title that a user sees."""
    assert f"**{title}**" in re.sub(r"\s+", " ", read(PAGE))


def test_what_is_required_is_a_prerequisite() -> None:
    """The prerequisites name every required field of the form."""
    needed = [FORM["properties"][name]["title"] for name in FORM["required"]]
    assert [title for title in needed if f"**{title}**" not in section("Prerequisites")] == []


def test_the_streams_are_those_of_the_connector() -> None:
    """Name and primary key, in the order of the catalog."""
    found = re.findall(r"^\| `(\w+)` \| .* \| (.*) \|$", section("Supported Streams"), re.MULTILINE)
    keys = [(stream.name, ", ".join(f"`{column}`" for column in stream.primary_key)) for stream in STREAMS.values()]
    assert found == keys


def test_every_message_is_there() -> None:
    """The reason codes and every message of the page on troubleshooting, without links out of this page."""
    messages = read("docs/troubleshooting.md")
    tables = messages[messages.index("\n## A sync\n") : messages.index("\n## It looks wrong")].strip()
    alone = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", tables)
    prove(
        PAGE,
        {
            "errors": parts("docs/troubleshooting.md")["errors"],
            "messages": re.sub(r"^## ", "#### ", alone, flags=re.MULTILINE),
        },
    )


def test_it_leads_nowhere_but_to_the_web_and_to_itself() -> None:
    """The page is shown on Airbyte's site, far from the other files."""
    targets = re.findall(r"\]\(([^)]+)\)", read(PAGE))
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []
