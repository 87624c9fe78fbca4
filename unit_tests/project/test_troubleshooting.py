"""The page on troubleshooting has every message of the connector."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from source_linkless.config.config import TITLES
from source_linkless.config.links import Step
from testing.generated_parts import read
from testing.source_files import MODULES

SPEAKING = (
    *("fields", "fleet", "logins", "config", "links", "transport"),
    *("personal", "documents", "changes", "sync", "check_report", "health", "verdict"),
)
"""The modules whose texts a user meets; those of `outcomes` are in the README."""

FRAGMENT = re.compile(r"[A-Za-z'].{11,}")
NO_MESSAGES = {name.strip(" .,;:()") for name in (*TITLES.values(), *(step.value for step in Step))}
"""Texts that are parts of messages (the titles of the form), or that nobody is told."""


def texts(tree: ast.AST) -> Iterator[str]:
    """Yield the texts in the functions and constants of a module, without its docstrings."""
    documentation = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value


def fragments(path: Path) -> Iterator[str]:
    """Yield the fixed parts of a module's messages: what stands between the values, of twelve letters at least."""
    for text in texts(ast.parse(path.read_text(encoding="utf-8"))):
        for part in re.split(r"%[.\d]*\w|\n", text):
            fixed = part.strip(" .,;:()\"'")
            if " " in fixed and FRAGMENT.fullmatch(fixed) and "\\" not in fixed and fixed not in NO_MESSAGES:
                yield fixed


@pytest.mark.parametrize("module", SPEAKING)
def test_every_message_is_explained(module: str) -> None:
    """Whoever searches the page for a message finds it there, word for word."""
    page = " ".join((read("docs/troubleshooting.md") + read("README.md")).split()).lower()
    said = list(fragments(MODULES[module]))
    assert said
    assert [text for text in said if text.lower() not in page] == []


@pytest.mark.parametrize("sentence", ["is missing: enter it", "The configuration must be a JSON object."])
def test_the_page_is_about_messages_that_exist(sentence: str) -> None:
    """Two of them, to see that the search above finds something."""
    assert sentence in read("docs/troubleshooting.md")
