"""The page for contributors: what it names exists, and it explains the checks of Airbyte's QA that fail here."""

from __future__ import annotations

import ast
import os
import re

from testing.generated_parts import ROOT, prove, read, table

PAGE = "CONTRIBUTING.md"


def test_the_checks_that_cannot_pass_are_those_of_the_script() -> None:
    """The table has each with its reason, as `scripts/qa` expects them to fail."""
    tree = ast.parse(read("integration_tests/airbyte_qa.py"))
    (expected,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "CONTRADICTED"
    ]
    prove(PAGE, {"qa": table(["Check", "Why it fails here"], ([f"`{name}`", why] for name, why in expected.items()))})


def test_the_scripts_that_it_names_exist() -> None:
    """Each can be run."""
    named = set(re.findall(r"\bscripts/(\w+)", read(PAGE)))
    assert [name for name in sorted(named) if not os.access(ROOT / "scripts" / name, os.X_OK)] == []


def test_the_files_that_it_names_exist() -> None:
    """Whoever follows a recipe finds each file; names in capitals are to be filled in."""
    paths = re.findall(
        r"`((?:source_linkless|linkless_simulator|unit_tests|integration_tests|docs|examples)/[\w./-]+)`", read(PAGE)
    )
    missing = [path for path in paths if not (ROOT / path).exists()]
    assert missing == ["source_linkless/schemas/NAME.json", "docs/integrations/sources/linkless-migrations.md"]


def test_every_link_leads_somewhere() -> None:
    """Within the page and to other files."""
    titles = re.findall(r"^#+ (.+)$", read(PAGE), re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
    links = re.findall(r"\]\((?!https:)([^)]+)\)", read(PAGE))
    wrong = [link for link in links if link.startswith("#") and link[1:] not in anchors]
    wrong += [link for link in links if not link.startswith("#") and not (ROOT / link.partition("#")[0]).exists()]
    assert wrong == []
