"""The two commands: `demo` syncs the customers of the simulator, `sync` the logins of your configuration."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from demo.configuration import UnusableError, keep_links, read_configuration, write_configuration
from demo.simulated import simulated

_QUERY = "select connection_key, status, reason, message from connections"
_SMALLEST = """\
    {"environment": "live", "client_id": "...", "secret": "...", "connection":
     {"method": "login", "source_id": "...", "username": "...", "password": "..."}}"""
_WIDTH = 110
ROOT = Path(__file__).parent.parent
_EXIT_FAILED = 1
_EXIT_STOPPED = 130


@dataclass(frozen=True, slots=True)
class Job:
    """What to sync, and where to. `path` is the configuration's file: it keeps what is written back."""

    path: Path
    configuration: dict[str, Any]
    database: Path
    pictures: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options, console = _options(arguments), _console()
    command = _demo if options.command == "demo" else _sync
    try:
        options.database.parent.mkdir(parents=True, exist_ok=True)
        command(options, console)
    except UnusableError as error:
        print(error, file=sys.stderr)
        return _EXIT_FAILED
    except OSError as error:
        print(f"{error.filename}: {error.strerror}.", file=sys.stderr)
        return _EXIT_FAILED
    except KeyboardInterrupt:
        print("\nStopped. Logins that were linked stay linked; the next run goes on from here.", file=sys.stderr)
        return _EXIT_STOPPED
    return 0


def _console() -> Console:
    """Print to standard output as it is now: PyAirbyte's own prints are led elsewhere meanwhile."""
    width = None if sys.stdout.isatty() else _WIDTH
    return Console(file=sys.stdout, highlight=False, width=width)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", prog="scripts/demo", help="sync the simulator's customers")
    sync = commands.add_parser("sync", prog="scripts/sync", help="sync your utility logins")
    sync.add_argument(
        "config", type=Path, metavar="CONFIG", help="configuration (JSON); links are written back into it"
    )
    for command, database in ((demo, "linkless-demo/demo.duckdb"), (sync, "linkless.duckdb")):
        command.add_argument(
            "--database", type=Path, metavar="FILE", default=Path(database), help="default: %(default)s"
        )
        command.add_argument("--no-pictures", action="store_true", help="draw no chart")
    return parser.parse_args(arguments)


def _demo(options: argparse.Namespace, console: Console) -> None:
    path = options.database.with_suffix(".config.json")
    kept = read_configuration(path) if path.exists() else {}
    console.print(f"[bold]Six utility logins, one with a wrong password, become tables in {options.database}.[/bold]")
    console.print("Starting the simulated provider ...")
    with simulated(kept) as configuration:
        write_configuration(path, configuration)
        _bring(Job(path, configuration, options.database, not options.no_pictures), console)
    console.print("\n[bold]Next[/bold]")
    console.print("  scripts/demo                  again: nothing is linked twice, and only what is new is sent")
    console.print("  scripts/sync my-config.json   with your logins; my-config.json is, at its smallest:")
    console.print(_SMALLEST, soft_wrap=True, markup=False)


def _sync(options: argparse.Namespace, console: Console) -> None:
    configuration = read_configuration(options.config)
    _bring(Job(options.config, configuration, options.database, not options.no_pictures), console)


def _bring(job: Job, console: Console) -> None:
    """Sync, then show what came."""
    console.print("Loading PyAirbyte ...")
    from demo import answers, report, warehouse  # noqa: PLC0415 - takes seconds; errors in the configuration come first

    console.print("Starting the connector ...")
    started = datetime.now(UTC)
    streams = warehouse.sync(
        job.configuration, job.database, lambda written_back: keep_links(job.path, written_back), console
    )
    console.print(f"\nSynced in {(datetime.now(UTC) - started).total_seconds():.1f} s.")
    console.print("Computing usage, cost and coverage with dbt ...")
    answers.build(job.database)
    console.print()
    report.show(job.database, streams, started, console)
    if job.pictures:
        _draw(job.database, console)
    console.print("\n[bold]Query the file[/bold]")
    console.print(query(job.database), soft_wrap=True, markup=False)


def query(database: Path) -> str:
    """Return a command that shows the health of every login, to be run in the present folder."""
    python = ROOT / ".venv-demo" / "bin" / "python"
    if python.is_relative_to(Path.cwd()):
        python = python.relative_to(Path.cwd())
    code = f'import duckdb; db = duckdb.connect({json.dumps(str(database))}); db.sql("{_QUERY}").show()'
    return f"  {shlex.quote(str(python))} -c {shlex.quote(code)}"


def _draw(database: Path, console: Console) -> None:
    console.print("Drawing the charts ...")
    from demo import chart  # noqa: PLC0415 - not needed without pictures, and slow to import

    picture = database.with_suffix(".png")
    if chart.draw(database, picture):
        console.print(f"Charts of usage beside cost: {picture}")


if __name__ == "__main__":
    sys.exit(main())
