"""Console entry `linkless`: its commands as command_line.toml declares them. What they do is in the other modules.

Everything but click is imported when a command runs, so that a help text does not wait for the CDK's imports.
"""

import asyncio
import pkgutil
import signal
import sys
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import click


def _search_text(value: str) -> str:
    text = value.strip()
    if len(text) not in range(3, 256):
        raise click.BadParameter("type 3 to 255 characters of its name")
    return text


_TYPES: dict[str, Any] = {
    "file": click.Path(dir_okay=False, path_type=Path),
    "folder": click.Path(file_okay=False, path_type=Path),
    "day": click.DateTime(["%Y-%m-%d"]),
    "search": _search_text,
}
_DECLARED = tomllib.loads(resources.files(__package__).joinpath("command_line.toml").read_text(encoding="utf-8"))


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


def _typed(parameter: dict[str, Any]) -> dict[str, Any]:
    kind = parameter.get("type")
    return {**parameter, "type": click.Choice(kind) if isinstance(kind, list) else _TYPES.get(kind or "")}


def _texts(declared: dict[str, Any]) -> dict[str, Any]:
    return {"help": declared["help"], "epilog": "\n  ".join(["\b\nExamples:", *declared["examples"]])}


def _command(name: str, declared: dict[str, Any]) -> click.Command:
    arguments = [click.Argument(**_typed(one)) for one in declared.get("arguments", ())]
    options = [_DECLARED["config"]] if declared.get("takes_config") else []
    options += declared.get("options", ())
    return click.Command(
        name,
        callback=lambda **given: _run(declared["function"], given),
        params=[*arguments, *(click.Option(**_typed(one)) for one in options)],
        **_texts(declared),
    )


main = click.Group(
    "linkless",
    commands=[_command(name, declared) for name, declared in _DECLARED["commands"].items()],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    **_texts(_DECLARED["linkless"]),
)
click.version_option(package_name="airbyte-source-linkless", message="linkless %(version)s")(main)
