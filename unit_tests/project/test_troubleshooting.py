"""docs/troubleshooting.md explains every reason code, every status and every message of the connector."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from source_linkless.config import Step
from source_linkless.errors import Meaning
from source_linkless.provider import outcomes
from source_linkless.provider.outcomes import (
    ERROR_CODES,
    HTTP_STATUSES,
    LINK_STATUSES,
    OF_DOCUMENT,
    OF_FILE,
    OWN_CODES,
    REASONS,
)
from source_linkless.streams import STREAMS
from testing.documents import rows, section
from testing.generated_parts import prove, read, table
from testing.source_files import CONNECTOR, MODULES

PAGE = "docs/troubleshooting.md"

OURS: Mapping[str, Meaning] = {
    **OWN_CODES,
    **{f"{code} of the product": meaning for code, meaning in OF_DOCUMENT.items()},
    **{f"{code} of the file of a bill": meaning for code, meaning in OF_FILE.items()},
    "HTTP_401 while linking, with good keys": outcomes.NOT_ALLOWED,
    "NOT_ASKED_YET": outcomes.AT_DEADLINE["NOT_ASKED_YET"],
    "any other code": outcomes.UNKNOWN,
}
"""Reason codes of the connector itself, and what it makes of answers that are in no table."""

SILENT = {"errors", "charge_texts", "by_hand"}
"""Modules without messages: their texts are descriptions and patterns, or belong to the screens of `linkless`."""

FRAGMENT = re.compile(r"[A-Za-z'].{11,}")
NO_MESSAGES = {step.value for step in Step}
"""Texts that are never shown."""


def reason_codes() -> dict[str, Meaning]:
    """Return every text that can be a `reason`, with what it means."""
    statuses = {f"HTTP_{status}": meaning for status, meaning in HTTP_STATUSES.items()}
    server_errors = {"HTTP_5xx": outcomes.of_answer(None, 500)}
    return {**LINK_STATUSES, **REASONS, **ERROR_CODES, **statuses, **server_errors, **OURS}


def errors() -> str:
    """Return the table of reason codes: one row for each meaning, with all codes that have it."""
    meanings: dict[Meaning, list[str]] = {}
    for reason, meaning in reason_codes().items():
        meanings.setdefault(meaning, []).append(reason if " " in reason else f"`{reason}`")
    lines = [
        [", ".join(said), f"`{one.status}`", f"`{one.actor}`", one.failure.value if one.failure else "", one.advice]
        for one, said in meanings.items()
    ]
    return table(["Reason code", "`status`", "`actor`", "Kind of error", "What it means and what to do"], lines)


def literals(path: Path) -> Iterator[str]:
    """Yield the texts in capitals that a module gives as a whole to a call."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for given in node.args if isinstance(node, ast.Call) else ():
            if isinstance(given, ast.Constant) and re.fullmatch(r"[A-Z]+(_[A-Z]+)+", str(given.value)):
                yield str(given.value)


def texts(tree: ast.AST) -> Iterator[str]:
    """Yield the texts in the functions and constants of a module, without its docstrings."""
    documentation = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value


def fragments(path: Path) -> Iterator[str]:
    """Yield the fixed parts of a module's messages: the texts between the values, of twelve letters at least.

    A text of nothing but reason codes is a row of the table of codes, which a test of its own compares.
    """
    codes = {*reason_codes(), *OWN_CODES}
    for text in texts(ast.parse(path.read_text(encoding="utf-8"))):
        for part in re.split(r"%[.\d]*\w|\n", text):
            fixed = part.strip(" .,;:()\"'")
            if not FRAGMENT.fullmatch(fixed) or "\\" in fixed or fixed in NO_MESSAGES or set(fixed.split()) <= codes:
                continue
            if " " in fixed:
                yield fixed


def test_the_table_of_reason_codes_is_made_from_the_connector() -> None:
    """Each code of the provider and of the connector has its status, its actor and its advice."""
    prove(PAGE, {"errors": errors()})


def test_every_reason_code_in_the_code_is_explained() -> None:
    """A code that a user may see is on the page."""
    speaking = [path for name, path in MODULES.items() if name not in ("ending", "run")]  # environment variables
    said = {reason for path in speaking for reason in literals(path)}
    assert "ENCRYPTED_ANSWER" in said
    assert [reason for reason in sorted(said) if f"`{reason}`" not in read(PAGE)] == []


def test_the_statuses_are_those_of_the_stream() -> None:
    """Each status of a row in `connections` is explained, in the order of the schema."""
    statuses = STREAMS["connections"].json_schema()["properties"]["status"]["enum"]
    shown = [cells[0] for cells in rows(section(PAGE, "Reason codes").partition("<!--")[0])]
    assert shown == [f"`{status}`" for status in statuses]


def test_every_message_is_explained() -> None:
    """A search for the text of a message finds it, word for word. The screens of `linkless` have their own page."""
    page = " ".join(read(PAGE).split()).lower()
    speaking = [path for name, path in MODULES.items() if path.parent.name != "cli" and name not in SILENT]
    missing = {path.stem: [text for text in fragments(path) if text.lower() not in page] for path in speaking}
    rules = tomllib.loads((CONNECTOR / "config/rules.toml").read_text(encoding="utf-8")).values()
    said = {rule[part] for rule in rules for part in ("missing", "otherwise") if part in rule}
    missing["rules"] = [text for text in said if text.lower() not in page]
    assert {name: texts for name, texts in missing.items() if texts} == {}


@pytest.mark.parametrize("sentence", ["is missing: enter it", "The configuration must be a JSON object."])
def test_the_page_is_about_messages_that_exist(sentence: str) -> None:
    """Two of them, to see that the search above finds something."""
    assert sentence in read(PAGE)
