"""A sync through PyAirbyte into a DuckDB file, and what the connector says meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, TextIO

import airbyte
import duckdb
from airbyte.caches import DuckDBCache
from airbyte.exceptions import PyAirbyteError
from rich.console import Console

from demo.configuration import UnusableError
from demo.watch import Watch

CONNECTOR = "source-linkless"
ROOT = Path(__file__).parent.parent
EXECUTABLE = ROOT / ".venv" / "bin" / CONNECTOR

OnLinks = Callable[[dict[str, Any]], None]


def sync(configuration: dict[str, Any], database: Path, on_links: OnLinks, console: Console) -> list[str]:
    """Bring every stream into the database, incrementally, and return their names.

    `on_links` gets the whole configuration whenever the connector writes it back. Raises UnusableError when
    the connector fails, the database cannot be opened or the links cannot be kept.
    """
    _prove_usable(database)
    log = database.with_suffix(".log")
    keeper = _Keeper(on_links)
    with _without_chatter(log), _watched(console) as watch:
        source = airbyte.get_source(
            CONNECTOR,
            config=configuration,
            config_change_callback=keeper,
            local_executable=EXECUTABLE,
            install_if_missing=False,
        )
        keeper.source = source
        with _logged(watch):
            try:
                streams = _read(source, database)
            except PyAirbyteError as error:
                reasons = dict.fromkeys(watch.errors) or [f"{error.get_message()} PyAirbyte says more in {log}."]
                raise UnusableError("\n".join(["The sync failed.", *reasons])) from None
    keeper.raise_failure()
    return streams


class _Keeper:
    """Passes on what is written back, and gives it to `source`, whose next read would begin with the old one.

    PyAirbyte swallows the errors of a callback: this one remembers them.
    """

    def __init__(self, on_links: OnLinks) -> None:
        self.source: airbyte.Source | None = None
        self._on_links = on_links
        self._failure: Exception | None = None

    def __call__(self, configuration: dict[str, Any]) -> None:
        if self.source is not None:
            self.source.set_config(configuration, validate=False)
        try:
            self._on_links(configuration)
        except Exception as error:
            self._failure = error
            raise

    def raise_failure(self) -> None:
        """Raise UnusableError when the newest links are not kept."""
        if self._failure is not None:
            why = f"{type(self._failure).__name__}: {self._failure}"
            raise UnusableError(
                f"The data is there, but the links could not be kept, so the next sync links again. {why}"
            )


def _read(source: airbyte.Source, database: Path) -> list[str]:
    source.select_streams([name for name in source.get_available_streams() if name != "statement_files"])
    cache = DuckDBCache(db_path=database)
    try:
        # The connector validates its configuration itself; PyAirbyte would print the values of a wrong one.
        source.read(cache=cache, skip_validation=True)
    finally:
        cache.close()
    return list(source.get_selected_streams())


def _prove_usable(database: Path) -> None:
    """Open the database once, before anything is linked."""
    try:
        duckdb.connect(str(database)).close()
    except duckdb.Error as error:
        reason = "another program has it open" if "lock" in str(error) else "it is not a DuckDB database"
        raise UnusableError(f"Cannot use {database}: {reason}.") from None


@contextmanager
def _watched(console: Console) -> Iterator[Watch]:
    """Tell what is waited for while PyAirbyte works."""
    watch = Watch(console)
    with watch.telling():
        yield watch


@contextmanager
def _logged(watch: Watch) -> Iterator[None]:
    """Show the connector's log. PyAirbyte makes a new logger for every source."""
    logger = logging.getLogger(f"airbyte.{CONNECTOR}")
    logger.addHandler(watch)
    try:
        yield
    finally:
        logger.removeHandler(watch)


@contextmanager
def _without_chatter(log: Path) -> Iterator[TextIO]:
    """Send to a file what PyAirbyte prints about itself."""
    with log.open("w", encoding="utf-8") as file, redirect_stderr(file), redirect_stdout(file):
        yield file
