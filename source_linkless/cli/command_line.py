"""Console entry `linkless`: its commands and options. What they do is in the other modules of this wing.

Everything but click is imported when a command runs, so that a help text does not wait for the CDK's imports.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Coroutine
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from source_linkless.cli.commands import Setting
    from source_linkless.cli.workspace import Draft

_WRONG_USAGE = 2
_LEAST, _MOST = 3, 255

_config = click.option(
    "--config",
    "config",
    metavar="FILE",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The configuration of the connector, a JSON file.",
)


def _examples(*lines: str) -> str:
    return "\n  ".join(["\b\nExamples:", *lines])


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog=_examples(
        "linkless sources springfield --config config.json",
        "linkless link --config config.json",
        "linkless status --config config.json",
        "linkless run config.json",
    ),
)
@click.version_option(package_name="airbyte-source-linkless", message="linkless %(version)s")
def main() -> None:
    """Link utility logins in a terminal, see how they are, sync by hand.

    Exit codes: 0 all is well, 1 it failed, 2 the command or the configuration is
    wrong, 3 a person is needed, 130 interrupted with Ctrl-C.
    """


def _search_text(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    text = value.strip()
    if not _LEAST <= len(text) <= _MOST:
        raise click.BadParameter(f"type {_LEAST} to {_MOST} characters of its name")
    return text


@main.command(epilog=_examples('linkless sources "springfield power" --config config.json'))
@click.argument("search", callback=_search_text)
@_config
def sources(search: str, config: Path) -> None:
    """Find a utility by a part of its name.

    Prints its ID (the `source_id` of a login), country, website and the fields
    of its login form. The configuration needs the provider's keys only.
    """
    from source_linkless.cli import commands

    _run(lambda setting: commands.search(setting, config, search))


@main.command(
    epilog=_examples(
        "linkless link --config config.json",
        "linkless link --config config.json --key hq-power --output linked.json",
        "pass show utility | linkless link --config config.json --password-stdin",
        "linkless link --browser hq-power --config config.json",
    )
)
@click.argument("named", metavar="[KEY]...", nargs=-1)
@_config
@click.option("--key", "keys", metavar="KEY", multiple=True, help="Link this login only, again if need be; repeatable.")
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the configuration with its tokens here, instead of back.",
)
@click.option("--password-stdin", is_flag=True, help="Read the password of the one login from standard input.")
@click.option("--dry-run", is_flag=True, help="Print what would be sent, secrets masked, and send nothing.")
@click.option("--browser", is_flag=True, help="Link in the provider's own form, in a browser on this machine.")
@click.option("--no-open", is_flag=True, help="With --browser: print the address of the page, and open no browser.")
@click.option(
    "--form",
    metavar="ADDRESS",
    help="With --browser: the script of the form, by default the provider's; the simulator prints its own.",
)
def link(config: Path, output: Path | None, **options: Any) -> None:
    """Link logins; asks for codes and choices on the way.

    Links every login that has no token yet, and asks for the code, the answer
    or the accounts that a utility wants. The configuration is written after
    each token, readable by you only. Passwords and codes are asked for without
    showing them; never put one on the command line.

    With --browser: a captcha, or the choice how to get a code, is answered in
    the provider's own form. Logins that have no token or were refused are
    linked one after the other, or those that you name.
    """
    from source_linkless.cli import browser, commands
    from source_linkless.cli.workspace import Draft

    keys = (*options["named"], *options["keys"])
    if options["browser"] and (options["dry_run"] or options["password_stdin"]):
        raise click.UsageError("--browser takes neither --dry-run nor --password-stdin.")

    async def run(setting: Setting) -> int:
        draft = Draft(config, output)
        if options["browser"]:
            script = options["form"] or browser.SCRIPT
            return await browser.link_in_browser(setting, draft, keys, script=script, opens=not options["no_open"])
        if options["password_stdin"]:
            _take_password(draft, keys)
        return await commands.link(setting, draft, keys, is_dry_run=options["dry_run"])

    _run(run)


@main.command(epilog=_examples("linkless status --config config.json", "linkless status --config config.json --json"))
@_config
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array, for programs.")
def status(config: Path, *, as_json: bool) -> None:
    """Show how every connection is; submits nothing.

    Exit code 0 when all is well, 3 when a person is needed, 1 when something
    else is wrong.
    """
    from source_linkless.cli import commands

    _run(lambda setting: commands.status(setting, config, as_json=as_json))


@main.command(epilog=_examples("linkless forget --config config.json --key hq-power"))
@_config
@click.option("--key", metavar="KEY", required=True, help="The login to forget.")
@click.option("--dry-run", is_flag=True, help="Print what would be deleted, and delete nothing.")
def forget(config: Path, key: str, *, dry_run: bool) -> None:
    """Delete a connection and all its data at the provider.

    Asks you to type the key, then removes the link and the entry from the
    configuration too, or the next sync would link it again.
    """
    from source_linkless.cli import commands

    _run(lambda setting: commands.forget(setting, config, key, is_dry_run=dry_run))


@main.command(epilog=_examples("linkless catalog > catalog.json", "linkless catalog --streams statements,charges"))
@click.option("--streams", metavar="NAMES", multiple=True, help="These streams only, divided by commas; repeatable.")
@click.option(
    "--mode",
    type=click.Choice(["incremental", "full_refresh"]),
    default="incremental",
    show_default=True,
    help="Send what changed (for append_dedup), or everything (for overwrite).",
)
def catalog(streams: tuple[str, ...], mode: str) -> None:
    """Print a configured catalog for `source-linkless read`.

    Every stream, unless you name some.
    """
    from source_linkless.cli import run_command

    names = [name.strip() for named in streams for name in named.split(",") if name.strip()]

    def show(setting: Setting) -> int:
        setting.screen.say(json.dumps(run_command.configured_catalog(names, mode), indent=2))
        return 0

    _run(show)


@main.command(epilog=_examples("linkless run config.json", "linkless run config.json --to bills"))
@click.argument("config", metavar="CONFIG", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--to",
    "folder",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the files here; by default beside CONFIG, in config.sync for config.json.",
)
def run(config: Path, folder: Path | None) -> None:
    """Sync once, into files of JSON lines.

    Links are written back into CONFIG. FOLDER keeps the records of each run
    (records/*.jsonl), the state that the next run goes on from (state.json) and
    what to sync (catalog.json, which you may replace by one of `linkless
    catalog`). Ends with the exit code of the connector.
    """
    from source_linkless.cli import run_command

    _run(lambda setting: run_command.run(setting, config, folder))


@main.command(epilog=_examples("linkless files config.json --to bills --since 2026-01-01"))
@click.argument("config", metavar="CONFIG", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("keys", metavar="[KEY]...", nargs=-1)
@click.option(
    "--to",
    "folder",
    metavar="FOLDER",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the files and their index here.",
)
@click.option(
    "--since", metavar="DATE", type=click.DateTime(["%Y-%m-%d"]), help="Leave out bills before this day (YYYY-MM-DD)."
)
def files(config: Path, keys: tuple[str, ...], folder: Path, since: datetime | None) -> None:
    """Download the original documents of bills.

    Of every linked login, or of those with a KEY, into FOLDER/KEY/ACCOUNT.
    FOLDER/index.csv has a row for each bill. What is there already is not
    fetched again.
    """
    from source_linkless.cli import files as downloading

    day = f"{since:%Y-%m-%d}" if since else None
    _run(lambda setting: downloading.files(setting, config, folder, keys, day))


def _take_password(draft: Draft, keys: tuple[str, ...]) -> None:
    """Put the password from standard input into the draft, for the one login that is meant."""
    number = draft.entry_of(keys[0] if len(keys) == 1 else None)
    if number is None:
        raise click.UsageError("--password-stdin gives one password: name its login with one --key.")
    if sys.stdin.isatty():
        raise click.UsageError("--password-stdin reads from a pipe; without it you are asked for a password.")
    password = sys.stdin.read().rstrip("\r\n")
    if not password:
        raise click.UsageError("--password-stdin found no password on standard input.")
    draft.text = draft.text.with_password(number, password)


def _run(command: Callable[[Setting], int | Coroutine[Any, Any, int]]) -> None:
    """Run a command to its exit code; every error is one sentence for a person."""
    from airbyte_cdk.utils.traced_exception import AirbyteTracedException

    from source_linkless.cli.commands import FAILED, INTERRUPTED
    from source_linkless.cli.workspace import FileProblem
    from source_linkless.config import masking
    from source_linkless.errors import Problem

    masking.silence_libraries()

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: signal.raise_signal(signal.SIGINT))  # ends like Ctrl-C
    try:
        result = command(_setting())
        code = result if isinstance(result, int) else asyncio.run(result)
    except AirbyteTracedException as error:
        code = _told(str(error.message), _WRONG_USAGE)
    except Problem as problem:
        code = _told(f"{problem.reason}. {problem.meaning.advice} ({problem.detail})", FAILED)
    except (FileProblem, TimeoutError) as error:
        code = _told(str(error) or "The provider did not answer in time.", FAILED)
    except KeyboardInterrupt:
        code = _told("Interrupted. The configuration is valid; see `linkless status`.", INTERRUPTED)
    sys.exit(code)


def _setting() -> Setting:
    from source_linkless.cli.commands import Setting
    from source_linkless.cli.prompting import PersonAtTerminal, Terminal
    from source_linkless.cli.screen import Screen
    from source_linkless.linking import Surroundings

    screen, terminal = Screen(sys.stdout, sys.stderr), Terminal.of_process()
    return Setting(Surroundings(), screen, PersonAtTerminal(terminal, screen) if terminal else None)


def _told(text: str, code: int) -> int:
    from source_linkless.cli.screen import wrapped

    click.echo(wrapped(f"Error: {text}"), err=True)
    return code
