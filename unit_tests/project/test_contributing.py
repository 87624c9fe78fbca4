"""The page for contributors: what it names exists, and it explains the checks of Airbyte's QA that fail here."""

from __future__ import annotations

import ast
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


def test_the_files_that_it_names_exist() -> None:
    """Each step of a recipe leads to a file; names in capitals are to be filled in."""
    paths = re.findall(
        r"`((?:source_linkless|linkless_simulator|unit_tests|integration_tests|testing|benchmarks|contract|docs|examples)/[\w./-]+)`",
        read(PAGE),
    )
    missing = [path for path in paths if not (ROOT / path).exists()]
    assert missing == ["source_linkless/schemas/NAME.json", "docs/integrations/sources/linkless-migrations.md"]
