"""Console entry `linkless`: its commands and options. What they do is in the other modules of this wing.

Everything but click is imported when a command runs, so that a help text does not wait for the CDK's imports.
"""

from __future__ import annotations

import asyncio
import functools
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
    from source_linkless.cli.workspace import ConfigText

_WRONG_USAGE = 2
_LEAST, _MOST = 3, 255

_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)
_config = click.option(
    "--config", metavar="FILE", required=True, type=_FILE, help="The configuration of the connector, a JSON file."
)
_config_argument = click.argument("config", metavar="CONFIG", type=_FILE)

Code = int | Coroutine[Any, Any, int]


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


def _command(*examples: str) -> Callable[[Callable[..., Code]], click.Command]:
    """Make a function with a setting and options a command, which ends with the exit code that it returns."""

    def made(function: Callable[..., Code]) -> click.Command:
        @functools.wraps(function)
        def run_to_its_end(**options: Any) -> None:
            _run(lambda setting: function(setting, **options))

        return main.command(epilog=_examples(*examples))(run_to_its_end)

    return made


def _run(command: Callable[[Setting], Code]) -> None:
    """Run a command to its exit code; every error is one sentence for a person."""
    from airbyte_cdk.utils.traced_exception import AirbyteTracedException

    from source_linkless.cli.commands import FAILED, INTERRUPTED, Setting
    from source_linkless.cli.terminal import PersonAtTerminal, Screen, Terminal, wrapped
    from source_linkless.config import masking
    from source_linkless.errors import Problem
    from source_linkless.json_files import FileProblem
    from source_linkless.linking import Surroundings

    masking.silence_libraries()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: signal.raise_signal(signal.SIGINT))  # ends like Ctrl-C
    try:
        screen, terminal = Screen(sys.stdout, sys.stderr), Terminal.of_process()
        result = command(Setting(Surroundings(), screen, PersonAtTerminal(terminal, screen) if terminal else None))
        sys.exit(result if isinstance(result, int) else asyncio.run(result))
    except AirbyteTracedException as error:
        text, code = str(error.message), _WRONG_USAGE
    except Problem as problem:
        text, code = f"{problem.reason}. {problem.meaning.advice} ({problem.detail})", FAILED
    except (FileProblem, TimeoutError) as error:
        text, code = str(error) or "The provider did not answer in time.", FAILED
    except KeyboardInterrupt:
        text, code = "Interrupted. The configuration is valid; see `linkless status`.", INTERRUPTED
    click.echo(wrapped(f"Error: {text}"), err=True)
    sys.exit(code)


def _search_text(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    text = value.strip()
    if not _LEAST <= len(text) <= _MOST:
        raise click.BadParameter(f"type {_LEAST} to {_MOST} characters of its name")
    return text


@_command('linkless sources "springfield power" --config config.json')
@click.argument("search", callback=_search_text)
@_config
def sources(setting: Setting, search: str, config: Path) -> Code:
    """Find a utility by a part of its name.

    Prints its ID (the `source_id` of a login), country, website and the fields
    of its login form. The configuration needs the provider's keys only.
    """
    from source_linkless.cli import commands

    return commands.search(setting, config, search)


@_command(
    "linkless link --config config.json",
    "linkless link --config config.json --key hq-power --output linked.json",
    "pass show utility | linkless link --config config.json --password-stdin",
    "linkless link --browser hq-power --config config.json",
)
@click.argument("named", metavar="[KEY]...", nargs=-1)
@_config
@click.option("--key", "keys", metavar="KEY", multiple=True, help="Link this login only, again if need be; repeatable.")
@click.option(
    "--output", metavar="FILE", type=_FILE, help="Write the configuration with its tokens here, instead of back."
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
async def link(setting: Setting, config: Path, output: Path | None, **options: Any) -> int:
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
    from source_linkless.cli.workspace import ConfigText

    keys = (*options["named"], *options["keys"])
    if options["browser"] and (options["dry_run"] or options["password_stdin"]):
        raise click.UsageError("--browser takes neither --dry-run nor --password-stdin.")
    text = ConfigText.read(config)
    if options["password_stdin"]:
        text = _with_piped_password(text, keys)
    workspace = await commands.with_passwords(setting, text, output, is_dry_run=options["dry_run"])
    if options["browser"]:
        script = options["form"] or browser.SCRIPT
        return await browser.link_in_browser(setting, workspace, keys, script=script, opens=not options["no_open"])
    return await commands.link(setting, workspace, keys, is_dry_run=options["dry_run"])


def _with_piped_password(text: ConfigText, keys: tuple[str, ...]) -> ConfigText:
    """Put the password from standard input into the entry of the one login that is meant."""
    entries = [str(entry.get("key")).strip() for entry in text.entries]
    numbers = [number for number, key in enumerate(entries) if len(entries) == 1 or (key,) == keys]
    if not numbers:
        raise click.UsageError("--password-stdin gives one password: name its login with one --key.")
    if sys.stdin.isatty():
        raise click.UsageError("--password-stdin reads from a pipe; without it you are asked for a password.")
    password = sys.stdin.read().rstrip("\r\n")
    if not password:
        raise click.UsageError("--password-stdin found no password on standard input.")
    return text.with_password(numbers[0], password)


@_command("linkless status --config config.json", "linkless status --config config.json --json")
@_config
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array, for programs.")
def status(setting: Setting, config: Path, *, as_json: bool) -> Code:
    """Show how every connection is; submits nothing.

    Exit code 0 when all is well, 3 when a person is needed, 1 when something
    else is wrong.
    """
    from source_linkless.cli import commands

    return commands.status(setting, config, as_json=as_json)


@_command("linkless forget --config config.json --key hq-power")
@_config
@click.option("--key", metavar="KEY", required=True, help="The login to forget.")
@click.option("--dry-run", is_flag=True, help="Print what would be deleted, and delete nothing.")
def forget(setting: Setting, config: Path, key: str, *, dry_run: bool) -> Code:
    """Delete a connection and all its data at the provider.

    Asks you to type the key, then removes the link and the entry from the
    configuration too, or the next sync would link it again.
    """
    from source_linkless.cli import commands

    return commands.forget(setting, config, key, is_dry_run=dry_run)


@_command("linkless catalog > catalog.json", "linkless catalog --streams statements,charges")
@click.option("--streams", metavar="NAMES", multiple=True, help="These streams only, divided by commas; repeatable.")
@click.option(
    "--mode",
    type=click.Choice(["incremental", "full_refresh"]),
    default="incremental",
    show_default=True,
    help="Send what changed (for append_dedup), or everything (for overwrite).",
)
def catalog(setting: Setting, streams: tuple[str, ...], mode: str) -> Code:
    """Print a configured catalog for `source-linkless read`.

    Every stream, unless you name some.
    """
    from source_linkless.cli import into_folders

    names = [name.strip() for named in streams for name in named.split(",") if name.strip()]
    setting.screen.say(json.dumps(into_folders.configured_catalog(names, mode), indent=2))
    return 0


@_command("linkless run config.json", "linkless run config.json --to bills")
@_config_argument
@click.option(
    "--to",
    "folder",
    metavar="FOLDER",
    type=_FOLDER,
    help="Keep the files here; by default beside CONFIG, in config.sync for config.json.",
)
def run(setting: Setting, config: Path, folder: Path | None) -> Code:
    """Sync once, into files of JSON lines.

    Links are written back into CONFIG. FOLDER keeps the records of each run
    (records/*.jsonl), the state that the next run goes on from (state.json) and
    what to sync (catalog.json, which you may replace by one of `linkless
    catalog`). Ends with the exit code of the connector.
    """
    from source_linkless.cli import into_folders

    return into_folders.run(setting, config, folder)


@_command("linkless files config.json --to bills --since 2026-01-01")
@_config_argument
@click.argument("keys", metavar="[KEY]...", nargs=-1)
@click.option(
    "--to", "folder", metavar="FOLDER", required=True, type=_FOLDER, help="Write the files and their index here."
)
@click.option(
    "--since", metavar="DATE", type=click.DateTime(["%Y-%m-%d"]), help="Leave out bills before this day (YYYY-MM-DD)."
)
def files(setting: Setting, config: Path, keys: tuple[str, ...], folder: Path, since: datetime | None) -> Code:
    """Download the original documents of bills.

    Of every linked login, or of those with a KEY, into FOLDER/KEY/ACCOUNT.
    FOLDER/index.csv has a row for each bill. What is there already is not
    fetched again.
    """
    from source_linkless.cli import into_folders

    return into_folders.files(setting, config, folder, keys, f"{since:%Y-%m-%d}" if since else "")
