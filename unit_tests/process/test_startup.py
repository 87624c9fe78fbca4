"""What is imported and read before the connector answers: counted in modules, since time depends on the machine.

Imports are most of what a command costs; one of `typing`, `re` or `logging` where it is not needed would pass unseen.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from testing.generated_parts import ROOT

WATCHED = """
import os, sys
{first}
sys.argv[1:] = {arguments!r}
before = set(sys.modules)
exec(open("main.py").read())
print(*sorted(set(sys.modules) - before), file=sys.stderr)
"""
"""Runs main.py, which does what the console script does, and tells on stderr what was imported."""
ENTRY = {"source_linkless", "source_linkless.run", "source_linkless.process", "source_linkless.process.prepared"}


def imports(*arguments: str, first: str = "", options: tuple[str, ...] = ("-S",)) -> set[str]:
    """Return the modules that a command imports, by default on a Python that has not even looked for packages."""
    program = WATCHED.format(first=first, arguments=list(arguments))
    run = subprocess.run(
        [sys.executable, *options, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(run.stderr.split())


@pytest.fixture
def config(tmp_path: Path) -> str:
    """Return the path of a configuration that is an object and nothing more."""
    path = tmp_path / "config.json"
    path.write_text("{}", encoding="utf-8")
    return str(path)


def test_the_form_is_shown_without_any_import() -> None:
    """`spec` needs two small modules of ours beside the package, and nothing of Python's library."""
    assert imports("spec") == ENTRY


def test_the_catalog_is_shown_with_no_import_but_json(config: str) -> None:
    """`discover` reads the configuration, so it needs `json` and what that needs itself."""
    assert imports("discover", "--config", config, first="import json") == ENTRY


def test_a_sync_imports_nothing_for_the_command_linkless(config: str) -> None:
    """Beyond the CDK the connector needs a calendar and a JSON decoder; no tables, no terminal, no command line."""
    imported = imports("check", "--config", config, first="import airbyte_cdk", options=())
    assert "source_linkless.process.launch" in imported
    packages = {name.partition(".")[0] for name in imported} - sys.stdlib_module_names
    assert packages <= {"source_linkless", "pendulum", "msgspec"}


MESSAGES: list[dict[str, Any]] = [
    {"type": "SPEC", "spec": {"connectionSpecification": {"type": "object"}, "documentationUrl": "https://docs"}},
    {"type": "CONNECTION_STATUS", "connectionStatus": {"status": "FAILED", "message": "the keys are refused"}},
    {"type": "CATALOG", "catalog": {"streams": [{"name": "a", "json_schema": {}, "supported_sync_modes": []}]}},
    {"type": "RECORD", "record": {"stream": "a", "data": {"n": None, "deep": [{"n": None}]}, "emitted_at": 1}},
    {
        "type": "STATE",
        "state": {
            "type": "STREAM",
            "stream": {"stream_descriptor": {"name": "a"}, "stream_state": {"k": {"v": 1}}},
            "sourceStats": {"recordCount": 1.0},
        },
    },
    {"type": "LOG", "log": {"level": "INFO", "message": "text"}},
    {"type": "TRACE", "trace": {"type": "ERROR", "emitted_at": 1.0, "error": {"message": "m"}}},
    {"type": "CONTROL", "control": {"type": "CONNECTOR_CONFIG", "emitted_at": 1.0, "connectorConfig": {"config": {}}}},
    {"type": "RECORD", "record": {"stream": 1}},
    {"type": "LETTER"},
]
"""A message of every type, and two that are refused."""
SERIALISED = """
import json, linecache
from airbyte_cdk.models import AirbyteMessageSerializer
for message in json.loads({messages!r}):
    try:
        print(json.dumps(AirbyteMessageSerializer.dump(AirbyteMessageSerializer.load(message))))
    except Exception as error:
        print(json.dumps(repr(error)))
print(any("airbyte_protocol" in path for path in linecache.cache))
"""
"""Prints every message as it came through the CDK's models, and whether their source text was read."""
QUICKLY = "from source_linkless.process.importing import quick_imports\nwith quick_imports(): {imported}\n"


def serialised(*, first: str = "") -> list[str]:
    """Return what the program above prints in a process of its own."""
    program = first + SERIALISED.format(messages=json.dumps(MESSAGES))
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return run.stdout.splitlines()


def test_without_docstrings_every_message_stays_what_it_was() -> None:
    """The models' source text is not read, and messages of each type are read, written and refused the same."""
    *ordinary, source_was_read = serialised()
    *quick, source_was_read_now = serialised(first=QUICKLY.format(imported="import airbyte_cdk.models"))
    assert quick == ordinary
    assert [json.loads(line)["type"] for line in quick[:-2]] == [message["type"] for message in MESSAGES[:-2]]
    assert all("Error" in line for line in quick[-2:])
    assert (source_was_read, source_was_read_now) == ("True", "False")


def test_without_the_reader_of_docstrings_the_cdk_may_do_as_it_likes() -> None:
    """Neither a missing library nor a renamed function stops the connector."""
    for changed in (
        "sys.modules['attributes_doc'] = None",
        "sys.modules['attributes_doc'] = types.ModuleType('other')",
    ):
        program = f"import sys, types; {changed}\n{QUICKLY.format(imported='pass')}print('serpyco_rs' in sys.modules)"
        run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
        assert run.stdout == "False\n"


def test_what_was_imported_is_not_looked_through_for_garbage() -> None:
    """Neither while it is imported nor later; what comes after it is."""
    asked = "import gc; runs = gc.get_stats(); import email.message; print(gc.isenabled(), runs == gc.get_stats())"
    program = f"{QUICKLY.format(imported=asked)}print(gc.isenabled(), gc.get_freeze_count() > len(gc.get_objects()))"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "True", "True", "True"]


def test_threads_interrupt_each_other_less_often_than_is_usual() -> None:
    """Only in a process of ours, and once it has begun."""
    program = f"import sys; {QUICKLY.format(imported='pass')}print(sys.getswitchinterval())"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == "0.02\n"
    assert sys.getswitchinterval() < float(run.stdout)


BILLS = """
import gc, orjson
from source_linkless.bills.documents import read_document
bills = [{"statement_id": str(n), "charges": [{"charge_name": "Tax", "amount": 1}] * 16} for n in range(120)]
document = read_document(orjson.dumps({"accounts": [{"account_number": "1", "statements": bills}]}))
runs = gc.get_stats()
kept = [*document.accounts()]
print(runs == gc.get_stats(), len(kept[0].statements))
"""
"""Reads an account of ten years, and tells whether the collector looked at it."""


def test_no_garbage_is_looked_for_while_an_account_is_read() -> None:
    """The collector would find none: what a bill is made of goes with the account."""
    program = QUICKLY.format(imported="import source_linkless.bills.documents") + BILLS
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["True", "120"]
