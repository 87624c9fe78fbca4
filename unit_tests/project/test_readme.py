"""The README says what is there: commands, options, streams, errors, files, links."""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from linkless_simulator import Simulator
from source_linkless.cli.cli import main
from source_linkless.config import parse_config
from source_linkless.errors import Meaning
from source_linkless.provider import outcomes
from source_linkless.provider.outcomes import ERROR_CODES, HTTP_STATUSES, LINK_STATUSES, REASONS
from source_linkless.streams import STREAMS
from testing.generated_parts import ROOT, prove, read, table
from testing.source_files import MODULES, first_line

README = "README.md"
DOCUMENTS = sorted([README, *(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))])

FORM = yaml.safe_load(resources.files("source_linkless").joinpath("spec.yaml").read_text("utf-8"))
PROPERTIES: dict[str, dict[str, Any]] = FORM["connectionSpecification"]["properties"]
METHODS: list[dict[str, Any]] = PROPERTIES["connection"]["oneOf"]

OURS: Mapping[str, Meaning] = {
    **outcomes.NO_ANSWER,
    "HTTP_404 of the product": outcomes.GONE,
    "HTTP_410 of the product": outcomes.GONE,
    "SUBMITTED_TWICE": outcomes.SUBMITTED_TWICE,
    "CONFIGURATION_FULL": outcomes.TOO_MANY_LINKS,
    "any other word": outcomes.UNKNOWN,
    **dict.fromkeys(("UNEXPECTED_ANSWER", "UNREADABLE_DOCUMENT", "ENCRYPTED_ANSWER"), outcomes.UNKNOWN),
    "UNEXPECTED_ERROR_HERE": outcomes.UNKNOWN,
}
"""Words that the connector itself puts into `reason`, and what it makes of answers in no table."""


def section(title: str) -> str:
    """Return the text of a section of the README, without its subsections' titles being special."""
    return read(README).partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """Return the cells of every table row whose first cell is code."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def blocks(document: str, language: str) -> list[str]:
    """Return the code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", read(document), re.DOTALL)


def words() -> dict[str, Meaning]:
    """Return every word that can stand in `reason`, with what it means."""
    statuses = {f"HTTP_{status}": meaning for status, meaning in HTTP_STATUSES.items()}
    server_errors = {"HTTP_5xx": outcomes.of_answer(None, 500)}
    return {**LINK_STATUSES, **REASONS, **ERROR_CODES, **statuses, **server_errors, **OURS}


def errors() -> str:
    """Return the table of errors: a row for each meaning, with all words that have it."""
    meanings: dict[Meaning, list[str]] = {}
    for reason, meaning in words().items():
        meanings.setdefault(meaning, []).append(reason if " " in reason else f"`{reason}`")
    lines = [
        [", ".join(said), f"`{one.status}`", f"`{one.actor}`", one.failure.value if one.failure else "", one.advice]
        for one, said in meanings.items()
    ]
    return table(["The word", "`status`", "`actor`", "Kind of error", "What it means and what to do"], lines)


def test_the_table_of_errors_is_that_of_the_connector() -> None:
    """Every word of the provider and of ours is there, with its status, its actor and its advice."""
    prove(README, {"errors": errors()})


def literals(path: Path) -> Iterator[str]:
    """Yield the words in capitals that a module gives as a whole text to a call."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for given in node.args if isinstance(node, ast.Call) else ():
            if isinstance(given, ast.Constant) and re.fullmatch(r"[A-Z]+(_[A-Z]+)+", str(given.value)):
                yield str(given.value)


def test_no_module_has_a_word_that_is_not_explained() -> None:
    """A word that a user may meet is explained."""
    speaking = [path for name, path in MODULES.items() if name not in ("ending", "prepared")]  # names in capitals
    said = {reason for path in speaking for reason in literals(path)}
    assert "ENCRYPTED_ANSWER" in said
    explained = section("When something goes wrong") + read("docs/troubleshooting.md")
    assert [reason for reason in sorted(said) if f"`{reason}`" not in explained] == []


def test_the_statuses_are_those_of_the_stream() -> None:
    """Each status of a row in `connections` is explained, in the order of the schema."""
    statuses = STREAMS["connections"].json_schema()["properties"]["status"]["enum"]
    assert [cells[0] for cells in rows(section("When something goes wrong").partition("<!--")[0])] == [
        f"`{status}`" for status in statuses
    ]


def default(name: str, schema: Mapping[str, Any], required: list[str]) -> str:
    """Return what the table of options says about the default of an option."""
    if name in required:
        return "required"
    return f"`{schema['default']}`" if "default" in schema else ""


def test_the_options_are_those_of_the_form() -> None:
    """Every option is there once, in the order of the form, with its default."""
    required = FORM["connectionSpecification"]["required"]
    found = [(cells[0].strip("`"), cells[1]) for cells in rows(section("Configuration")) if "." not in cells[0]]
    assert found == [(name, default(name, schema, required)) for name, schema in PROPERTIES.items()]


def test_the_options_of_a_login_are_those_of_the_form() -> None:
    """Every option of the three ways to give logins is there, with the ways that know it."""
    known: dict[str, list[str]] = {}
    for method in METHODS:
        for name in method["properties"]:
            known.setdefault(name, []).append(f"`{method['properties']['method']['const']}`")
    known["method"] = []
    found = {cells[0].strip("`"): cells[1] for cells in rows(section("Configuration")) if "." in cells[0]}
    assert found == {f"connection.{name}": ", ".join(methods) for name, methods in known.items()}


def test_every_choice_of_an_option_is_named() -> None:
    """Whoever must choose sees what there is."""
    meanings = {cells[0].strip("`"): cells[2] for cells in rows(section("Configuration"))}
    choices = [(name, reason) for name, schema in PROPERTIES.items() for reason in schema.get("enum", ())]
    assert [(name, reason) for name, reason in choices if f"`{reason}`" not in meanings[name]] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_example_of_a_configuration_is_accepted(document: str) -> None:
    """What a reader copies works, once the dots are filled in."""
    keys = {"environment": "live", "client_id": "client", "secret": "secret"}
    for block in blocks(document, "json"):
        example = json.loads(block)
        if isinstance(example, list):
            parse_config({**keys, "connection": {"method": "fleet", "connections": block}})
        elif "connection_key" not in example:  # else it is a sample of a record
            parse_config(example)
    for block in blocks(document, "csv"):
        parse_config({**keys, "connection": {"method": "fleet", "connections": block}})


def test_there_is_an_example_of_every_method() -> None:
    """Each of the three ways to give logins is shown."""
    shown = [parse_config(json.loads(block)).method for block in blocks(README, "json")]
    assert shown == [method["properties"]["method"]["const"] for method in METHODS]


def test_the_streams_are_those_of_the_connector() -> None:
    """Name and primary key of every stream, in the order of the catalog."""
    found = {cells[0].strip("`"): cells[2] for cells in rows(section("Streams"))}
    keys = {stream.name: ", ".join(f"`{column}`" for column in stream.primary_key) for stream in STREAMS.values()}
    assert list(found.items()) == list(keys.items())


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_commands_that_are_named_exist(document: str) -> None:
    """Each `scripts/…` is a file that can be run."""
    named = set(re.findall(r"\bscripts/(\w+)", read(document)))
    assert [name for name in sorted(named) if not os.access(ROOT / "scripts" / name, os.X_OK)] == []


def anchors(path: Path) -> set[str]:
    """Return the anchors of a document's titles, as they are made from them."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_somewhere(document: str) -> None:
    """Links to files and to titles in them resolve."""
    home = ROOT / document
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", read(document))
    assert links or document == "docs/architecture.md"
    for link in links:
        name, _, anchor = link.partition("#")
        target = (home.parent / name).resolve() if name else home
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def modules(paths: Iterable[Path]) -> str:
    """Return the map of a package."""
    rows = ([f"`{path.relative_to(ROOT)}`", first_line(path)] for path in paths)
    return table(["File", "What it knows"], rows)


def test_the_map_has_every_module_of_the_demo() -> None:
    """Each with its own first line."""
    paths = sorted(path for path in (ROOT / "demo").glob("*.py") if path.stem != "__init__")
    prove(README, {"modules of the demo": modules(paths)})


def test_the_simulator_has_a_map_of_its_own() -> None:
    """Its README names every module."""
    text = read("linkless_simulator/README.md")
    names = [path.name for path in (ROOT / "linkless_simulator").glob("*.py") if path.stem != "__init__"]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_the_map_shows_what_is_there() -> None:
    """Every file of the map exists, and every script, document and test folder is in it."""
    listed = {cells[0].strip("`") for cells in rows(section("Map of the files"))}
    assert [name for name in sorted(listed) if not (ROOT / name).exists()] == []
    scripts = {f"scripts/{path.name}" for path in (ROOT / "scripts").iterdir() if path.is_file()}
    documents = {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}
    assert (scripts | documents) - listed == set()


def test_the_utility_is_found_as_shown(tmp_path: Path) -> None:
    """The command and its output are real."""
    (command,) = re.findall(r"^\$ linkless (sources .*)$", read(README), re.MULTILINE)
    with Simulator() as simulator:
        keys = {"client_id": simulator.client_id, "secret": simulator.secret}
        config = tmp_path / "my-config.json"
        config.write_text(json.dumps({"environment": "sandbox", **keys, "api_url": simulator.url}), encoding="utf-8")
        result = CliRunner().invoke(main, command.replace("my-config.json", str(config)))
    assert result.exit_code == 0
    shown = "\n".join(line.rstrip() for line in result.output.strip("\n").splitlines())
    prove(README, {"linkless sources": f"```\n{shown}\n```"})


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_commands_of_linkless_exist(document: str) -> None:
    """Whoever types what is shown is understood."""
    named = set(re.findall(r"`linkless (\w+)|^\$ linkless (\w+)", read(document), re.MULTILINE))
    assert {"".join(names) for names in named} <= set(main.commands)


def test_the_example_for_pyairbyte_is_python() -> None:
    """It compiles; that it works is shown by the demo, which does the same."""
    (example,) = blocks(README, "python")
    compile(example, README, "exec")
    for line in ("config_change_callback=", "local_executable=", "skip_validation=True"):
        assert line in example
        assert line in read("demo/warehouse.py")
