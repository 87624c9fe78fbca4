"""Console entry `linkless`: its commands and options. What they do is in the other modules of this wing.

Everything but click is imported when a command runs, so that a help text does not wait for the CDK's imports.
"""

import asyncio
import pkgutil
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

_FILE, _FOLDER = click.Path(dir_okay=False, path_type=Path), click.Path(file_okay=False, path_type=Path)
_config = click.option(
    "--config", metavar="FILE", required=True, type=_FILE, help="The configuration of the connector, a JSON file."
)
_config_argument = click.argument("config", metavar="CONFIG", type=_FILE)
_to = partial(click.option, "--to", "folder", metavar="FOLDER", type=_FOLDER)


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

    Exit codes: 0 all is well, 1 it failed, 2 the command or the configuration is wrong, 3 a person is needed, 130
    interrupted with Ctrl-C.
    """


def _run(function: str, options: dict[str, Any]) -> None:
    """Run a function of this wing with the options, to the exit code that it returns; an error is one sentence."""
    from airbyte_cdk.utils.traced_exception import AirbyteTracedException

    from source_linkless.cli.terminal import Terminal, keyboard, wrapped
    from source_linkless.cli.workspace import Exit
    from source_linkless.config import masking
    from source_linkless.errors import Problem
    from source_linkless.json_files import FileProblem

    masking.silence_libraries()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: signal.raise_signal(signal.SIGINT))  # ends like Ctrl-C
    try:
        terminal = Terminal(sys.stdout, sys.stderr, keyboard())
        result = pkgutil.resolve_name(f"source_linkless.cli.{function}")(terminal, **options)
        sys.exit(result if isinstance(result, int) else asyncio.run(result))
    except AirbyteTracedException as error:
        text, code = str(error.message), Exit.WRONG
    except Problem as problem:
        text, code = f"{problem.reason}. {problem.meaning.advice} ({problem.detail})", Exit.FAILED
    except (FileProblem, TimeoutError) as error:
        text, code = str(error) or "The provider did not answer in time.", Exit.FAILED
    except KeyboardInterrupt:
        text, code = "Interrupted. The configuration is valid; see `linkless status`.", Exit.INTERRUPTED
    click.echo(wrapped(f"Error: {text}"), err=True)
    sys.exit(code)


def _search_text(value: str) -> str:
    text = value.strip()
    if len(text) not in range(3, 256):
        raise click.BadParameter("type 3 to 255 characters of its name")
    return text


@main.command(epilog=_examples('linkless sources "springfield power" --config config.json'))
@click.argument("search", type=_search_text)
@_config
def sources(**options: Any) -> None:
    """Find a utility by a part of its name.

    Prints its ID (the `source_id` of a login), country, website and the fields of its login form. The configuration
    needs the provider's keys only.
    """
    _run("commands:sources", options)


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
def link(**options: Any) -> None:
    """Link logins; asks for codes and choices on the way.

    Links every login that has no token yet, and asks for the code, the answer or the accounts that a utility wants. The
    configuration is written after each token, readable by you only. Passwords and codes are asked for without showing
    them; never put one on the command line.

    With --browser: a captcha, or the choice how to get a code, is answered in the provider's own form. Logins that have
    no token or were refused are linked one after the other, or those that you name.
    """
    _run("commands:link", options)


@main.command(epilog=_examples("linkless status --config config.json", "linkless status --config config.json --json"))
@_config
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array, for programs.")
def status(**options: Any) -> None:
    """Show how every connection is; submits nothing.

    Exit code 0 when all is well, 3 when a person is needed, 1 when something else is wrong.
    """
    _run("commands:status", options)


@main.command(epilog=_examples("linkless forget --config config.json --key hq-power"))
@_config
@click.option("--key", metavar="KEY", required=True, help="The login to forget.")
@click.option("--dry-run", is_flag=True, help="Print what would be deleted, and delete nothing.")
def forget(**options: Any) -> None:
    """Delete a connection and all its data at the provider.

    Asks you to type the key, then removes the link and the entry from the configuration too, or the next sync would
    link it again.
    """
    _run("commands:forget", options)


@main.command(epilog=_examples("linkless catalog > catalog.json", "linkless catalog --streams statements,charges"))
@click.option("--streams", metavar="NAMES", multiple=True, help="These streams only, divided by commas; repeatable.")
@click.option(
    "--mode",
    type=click.Choice(["incremental", "full_refresh"]),
    default="incremental",
    show_default=True,
    help="Send what changed (for append_dedup), or everything (for overwrite).",
)
def catalog(**options: Any) -> None:
    """Print a configured catalog for `source-linkless read`.

    Every stream, unless you name some.
    """
    _run("into_folders:catalog", options)


@main.command(epilog=_examples("linkless run config.json", "linkless run config.json --to bills"))
@_config_argument
@_to(help="Keep the files here; by default beside CONFIG, in config.sync for config.json.")
def run(**options: Any) -> None:
    """Sync once, into files of JSON lines.

    Links are written back into CONFIG. FOLDER keeps the records of each run (records/*.jsonl), the state that the next
    run goes on from (state.json) and what to sync (catalog.json, which you may replace by one of `linkless catalog`).
    Ends with the exit code of the connector.
    """
    _run("into_folders:run", options)


@main.command(epilog=_examples("linkless files config.json --to bills --since 2026-01-01"))
@_config_argument
@click.argument("keys", metavar="[KEY]...", nargs=-1)
@_to(required=True, help="Write the files and their index here.")
@click.option(
    "--since", metavar="DATE", type=click.DateTime(["%Y-%m-%d"]), help="Leave out bills before this day (YYYY-MM-DD)."
)
def files(**options: Any) -> None:
    """Download the original documents of bills.

    Of every linked login, or of those with a KEY, into FOLDER/KEY/ACCOUNT. FOLDER/index.csv has a row for each bill.
    What is there already is not fetched again.
    """
    _run("into_folders:files", options)
