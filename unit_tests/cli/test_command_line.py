"""Every command and every option has a help text, an example and its place on the page about the command."""

from __future__ import annotations

import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from source_linkless.cli.command_line import main

PAGE = (Path(__file__).parents[2] / "docs" / "linking.md").read_text(encoding="utf-8")
COLUMNS = 80
OPTIONS = [
    (name, option) for name, command in main.commands.items() for option in command.params if option.name != "help"
]


def section(command: str) -> str:
    """Return the part of the page about a command."""
    match = re.search(rf"^## [^\n]*`linkless {command}`\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert match is not None, f"the page has no section about {command}"
    return match[1]


def help_of(*command: str) -> str:
    """Return a help text as a person sees it."""
    return CliRunner().invoke(main, [*command, "--help"]).output


@pytest.mark.parametrize("command", main.commands)
def test_every_command_is_documented_with_an_example(command: str) -> None:
    """Help text and page both show how it is called; nothing in the help is wider than a terminal."""
    text = help_of(command)
    assert f"linkless {command} " in text.partition("Examples:")[2]
    assert f"$ linkless {command} " in section(command)
    assert max(map(len, text.splitlines())) <= COLUMNS


@pytest.mark.parametrize(("command", "option"), OPTIONS, ids=lambda value: str(getattr(value, "name", value)))
def test_every_option_is_documented(command: str, option: click.Parameter) -> None:
    """The page names it in the section of its command, and its help says what it does."""
    names = [option.make_metavar(click.Context(main))] if isinstance(option, click.Argument) else option.opts
    assert all(f"`{name}" in section(command) for name in names)
    assert isinstance(option, click.Argument) or (isinstance(option, click.Option) and option.help)


@pytest.mark.parametrize("name", main.commands)
def test_every_command_has_a_function_that_takes_its_options(name: str) -> None:
    """The function is found by its name only when the command runs."""
    module = "into_folders" if name in ("catalog", "run", "files") else "commands"
    function = pkgutil.resolve_name(f"source_linkless.cli.{module}:{name}")
    inspect.signature(function).bind("setting", **{str(option.name): None for option in main.commands[name].params})


def test_no_option_takes_a_password_or_a_code() -> None:
    """What stands on a command line stands in the shell's history and in the list of processes."""
    with_values = {option.name for _, option in OPTIONS if not getattr(option, "is_flag", False)}
    assert with_values == {
        "search",
        "config",
        "keys",
        "key",
        "output",
        "streams",
        "mode",
        "folder",
        "named",
        "form",
        "since",
    }


def test_the_exit_codes_are_documented() -> None:
    """They are part of what scripts rely on."""
    listed = re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)
    assert listed == ["0", "1", "2", "3", "130"]
    assert all(code in help_of() for code in listed)


@pytest.mark.parametrize(
    "arguments",
    [
        ["sources", "ab", "--config", "c.json"],
        ["sources", "a" * 256, "--config", "c.json"],
        ["link"],
        ["forget", "--config", "c.json"],
    ],
)
def test_a_wrong_call_is_told(arguments: list[str]) -> None:
    """Exit code 2 and the usage; nothing is read or sent."""
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, "Usage: " in result.output) == (2, True)


def test_a_help_text_does_not_import_the_cdk() -> None:
    """Its import takes seconds; a help text is there at once."""
    program = (
        "import sys; from source_linkless.cli.command_line import main; "
        "main(['link', '--help'], standalone_mode=False); print('airbyte_cdk' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "False"
