"""The pages of the documentation, as tests read them: sections, tables, code blocks, anchors."""

from __future__ import annotations

import re

from testing.generated_parts import ROOT, read

README = "README.md"
PAGES = sorted([README, *(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md"))])
"""README and the pages of docs/. The page for Airbyte's site stands alone and has a test of its own."""


def section(page: str, title: str) -> str:
    """Return the text of a section of the second level, its subsections included."""
    return read(page).partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """Return the cells of every table row whose first cell is code."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def blocks(page: str, language: str) -> list[str]:
    """Return the code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", read(page), re.DOTALL)


def links(page: str) -> list[str]:
    """Return the targets of all links that stay within the repository."""
    return [target for target in re.findall(r"\]\((?!https?:)([^)]+)\)", read(page)) if "/actions/" not in target]


def anchors(page: str) -> set[str]:
    """Return the anchors that GitHub makes of a page's titles."""
    titles = re.findall(r"^#+ (.+)$", read(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
