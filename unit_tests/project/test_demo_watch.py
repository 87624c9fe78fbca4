"""A pause of `scripts/demo` and `scripts/sync` always says what it waits for."""

from __future__ import annotations

import io
import logging
import shlex
from pathlib import Path

import pytest
from rich.console import Console

from demo.__main__ import query
from demo.watch import Watch
from testing.generated_parts import ROOT, read


class Screen:
    """A watch on a clock that the test moves, and what it printed."""

    def __init__(self) -> None:
        self.now = 0.0
        self._text = io.StringIO()
        self.watch = Watch(Console(file=self._text, width=120), lambda: self.now)

    def says(self, line: str) -> None:
        """Let the connector log a line."""
        self.watch.emit(logging.LogRecord("airbyte", logging.INFO, "", 0, line, None, None))

    def after(self, seconds: float) -> list[str]:
        """Let time pass in steps of a tenth of a second; return the lines printed meanwhile, without their times."""
        before = len(self._text.getvalue())
        for _ in range(round(seconds * 10)):
            self.now += 0.1
            self.watch.tell()
        return [line.partition(" s  ")[2] for line in self._text.getvalue()[before:].splitlines()]


def test_silence_before_the_first_line_says_that_the_connector_starts() -> None:
    """Two seconds are never silent."""
    assert Screen().after(2) == ["... starting the connector"]


def test_silence_names_the_logins_that_are_waited_for() -> None:
    """Logins that are ready are not among them."""
    screen = Screen()
    screen.says("headquarters: Connecting (1 s)")
    screen.says("warehouse: PRODUCT_NOT_READY (1 s)")
    screen.says("headquarters: ready after 2 s")
    assert screen.after(2) == ["... waiting for warehouse (PRODUCT_NOT_READY)"]


def test_the_same_is_said_again_every_ten_seconds() -> None:
    """A long wait does not fill the screen."""
    screen = Screen()
    screen.says("warehouse: Connecting (1 s)")
    assert screen.after(25) == ["... waiting for warehouse (Connecting)"] * 3


def test_silence_after_the_last_login_says_that_records_are_loaded() -> None:
    """PyAirbyte loads them when the connector has ended."""
    screen = Screen()
    screen.says("warehouse: Connecting (1 s)")
    screen.says("warehouse: ready after 9 s")
    assert screen.after(2) == ["... loading the records into the database"]


def test_the_printed_query_is_one_that_a_shell_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of files with spaces and quotes are quoted; the program is found from any folder."""
    monkeypatch.chdir(tmp_path)
    python, option, code = shlex.split(query(Path("Anna's data.duckdb")))
    assert python.startswith("/")
    assert option == "-c"
    assert 'duckdb.connect("Anna\'s data.duckdb")' in code


def test_the_readme_has_the_query_that_the_demo_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Word for word, for the folder of the repository; test_first_hour runs it."""
    monkeypatch.chdir(ROOT)
    assert f"$ {query(Path('linkless-demo/demo.duckdb')).strip()}\n" in read("README.md")
