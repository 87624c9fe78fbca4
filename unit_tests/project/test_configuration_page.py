"""docs/configuration.md has every option of the form, and shows the command that finds a utility."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner

from linkless_simulator import Simulator
from source_linkless.cli.command_line import main
from source_linkless.config import parse_config
from testing.documents import blocks, rows, section
from testing.generated_parts import prove, read

PAGE = "docs/configuration.md"
FORM = yaml.safe_load(resources.files("source_linkless").joinpath("spec.yaml").read_text("utf-8"))
PROPERTIES: dict[str, dict[str, Any]] = FORM["connectionSpecification"]["properties"]
METHODS: list[dict[str, Any]] = PROPERTIES["connection"]["oneOf"]


def default(name: str, schema: Mapping[str, Any], required: list[str]) -> str:
    """Return what the table of options says about the default of an option."""
    if name in required:
        return "required"
    return f"`{schema['default']}`" if "default" in schema else ""


def test_the_options_are_those_of_the_form() -> None:
    """Every option is there once, in the order of the form, with its default."""
    required = FORM["connectionSpecification"]["required"]
    found = [(cells[0].strip("`"), cells[1]) for cells in rows(section(PAGE, "Options"))]
    assert found == [(name, default(name, schema, required)) for name, schema in PROPERTIES.items()]


def test_the_options_of_a_login_are_those_of_the_form() -> None:
    """Every option of the three ways to give logins is there, with the ways that know it."""
    known: dict[str, list[str]] = {}
    for method in METHODS:
        for name in method["properties"]:
            known.setdefault(name, []).append(f"`{method['properties']['method']['const']}`")
    known["method"] = []
    found = {cells[0].strip("`"): cells[1] for cells in rows(section(PAGE, "Options of a login"))}
    assert found == {f"connection.{name}": ", ".join(methods) for name, methods in known.items()}


def test_every_choice_of_an_option_is_named() -> None:
    """The meaning of an option names each value of its enum."""
    meanings = {cells[0].strip("`"): cells[2] for cells in rows(section(PAGE, "Options"))}
    choices = [(name, reason) for name, schema in PROPERTIES.items() for reason in schema.get("enum", ())]
    assert [(name, reason) for name, reason in choices if f"`{reason}`" not in meanings[name]] == []


def test_there_is_an_example_of_every_method() -> None:
    """Each of the three ways to give logins is shown."""
    shown = [parse_config(json.loads(block)).method for block in blocks(PAGE, "json")]
    assert shown == [method["properties"]["method"]["const"] for method in METHODS]


def test_the_utility_is_found_as_shown(tmp_path: Path) -> None:
    """The command and its output are real."""
    (command,) = re.findall(r"^\$ linkless (sources .*)$", read(PAGE), re.MULTILINE)
    with Simulator() as simulator:
        keys = {"client_id": simulator.client_id, "secret": simulator.secret}
        config = tmp_path / "my-config.json"
        config.write_text(json.dumps({"environment": "sandbox", **keys, "api_url": simulator.url}), encoding="utf-8")
        result = CliRunner().invoke(main, command.replace("my-config.json", str(config)))
    assert result.exit_code == 0
    shown = "\n".join(line.rstrip() for line in result.output.strip("\n").splitlines())
    prove(PAGE, {"linkless sources": f"```\n{shown}\n```"})
