"""The examples, run as a reader would run them; those that need a container engine or minutes have their own scripts.

`scripts/image` runs `docker_sync.sh`, `scripts/examples` the definitions for Airflow and Dagster.
"""

from __future__ import annotations

import ast
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from linkless_simulator import Simulator
from testing.connector import PROGRAM, login_at
from testing.generated_parts import ROOT, read
from testing.postgres_server import postgres_server
from testing.warehouses import PYTHON as PYAIRBYTE
from testing.worlds import ALL_STREAMS

EXAMPLES = ROOT / "examples"
KUBERNETES = "1.33"
LONGEST_SECONDS = 900


def prepared(folder: Path, simulator: Simulator, username: str, **options: Any) -> Path:
    """Write the configuration that a user would write; return its file."""
    file = folder / "config.json"
    file.write_text(json.dumps(login_at(simulator, username, **options)), encoding="utf-8")
    return file


def one_sync(folder: Path, connector: Path = PROGRAM) -> subprocess.CompletedProcess[str]:
    """Run the smallest runner once."""
    command = [sys.executable, str(EXAMPLES / "one_sync.py"), str(folder), "--connector", str(connector)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST_SECONDS)


def records(folder: Path) -> list[list[dict[str, Any]]]:
    """Return the records of every sync, in order."""
    files = sorted((folder / "records").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    return [[json.loads(line) for line in path.read_text("utf-8").splitlines()] for path in files]


def submissions(simulator: Simulator, username: str) -> int:
    """Return how often a login was submitted."""
    return simulator.backend.count("/link/connect", username)


def test_the_smallest_runner_keeps_links_and_state(simulator: Simulator, tmp_path: Path) -> None:
    """The second sync submits nothing, and sends nothing but the row of the login."""
    config = prepared(tmp_path, simulator, "user_good+runner")
    assert [one_sync(tmp_path).returncode for _ in range(2)] == [0, 0]
    assert submissions(simulator, "user_good+runner") == 1
    first, second = records(tmp_path)
    assert {record["stream"] for record in first} == set(ALL_STREAMS)
    assert [record["stream"] for record in second] == ["connections"]
    assert stat.S_IMODE(config.stat().st_mode) == 0o600


def test_the_smallest_runner_keeps_a_refusal(simulator: Simulator, tmp_path: Path) -> None:
    """A wrong password is submitted once, however often the runner is started; its exit code is the connector's."""
    prepared(tmp_path, simulator, "wrong_password+runner")
    ends = [one_sync(tmp_path) for _ in range(2)]
    assert [end.returncode for end in ends] == [1, 1]
    assert submissions(simulator, "wrong_password+runner") == 1
    assert [[record["data"]["status"] for record in sent] for sent in records(tmp_path)] == [["needs_user"]] * 2
    assert "ERROR The login could not be read completely." in ends[1].stderr


def test_two_runners_do_not_share_a_folder(simulator: Simulator, tmp_path: Path) -> None:
    """The second ends at once: it would submit the login a second time."""
    prepared(tmp_path, simulator, "never_connects+runner")
    command = [sys.executable, str(EXAMPLES / "one_sync.py"), str(tmp_path), "--connector", str(PROGRAM)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as first:
        assert first.stderr is not None
        while "Connecting" not in first.stderr.readline():
            assert first.poll() is None
        assert one_sync(tmp_path).stderr == f"Another sync is using {tmp_path}.\n"
        first.terminate()
        assert first.wait(LONGEST_SECONDS) == 143
    assert submissions(simulator, "never_connects+runner") == 1


CUT = """#!{python}
import os, signal, sys
if "discover" in sys.argv:
    print('{{"type":"CATALOG","catalog":{{"streams":[]}}}}')
else:
    sys.stdout.write('{{"type":"RECORD","record":{{"stream":"accounts","data":{{}}}}}}\\n'
        '{{"type":"STATE","state":{{"stream":{{"stream_descriptor":{{"name":"accounts"}}}}}}}}\\n'
        '{{"type":"RECORD","record":{{"stream":"acc')
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""
"""A connector that is killed in the middle of a line."""


def test_the_smallest_runner_survives_a_connector_that_is_killed_in_a_line(tmp_path: Path) -> None:
    """What arrived whole is kept with its state, the cut line is dropped, and no temporary file is left."""
    connector = tmp_path / "connector"
    connector.write_text(CUT.format(python=sys.executable), encoding="utf-8")
    connector.chmod(0o755)
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    end = one_sync(tmp_path, connector)
    assert (end.returncode, end.stderr) == (137, "The connector was ended by signal 9. What had arrived is kept.\n")
    assert [[record["stream"] for record in sent] for sent in records(tmp_path)] == [["accounts"]]
    assert len(json.loads((tmp_path / "state.json").read_text("utf-8"))) == 1
    assert [path.suffix for path in (tmp_path / "records").iterdir()] == [".jsonl"]


def test_the_smallest_runner_follows_no_planted_link(simulator: Simulator, tmp_path: Path) -> None:
    """A link with the name of a temporary file, or of the lock, leads to no other file."""
    folder, other = tmp_path / "folder", tmp_path / "other"
    folder.mkdir()
    other.write_text("other", encoding="utf-8")
    prepared(folder, simulator, "instant+planted")
    for name in (".config.json.new", ".state.json.new", ".catalog.json.new"):
        (folder / name).symlink_to(other)
    assert one_sync(folder).returncode == 0
    (folder / "lock").unlink()
    (folder / "lock").symlink_to(other)
    assert one_sync(folder).returncode == 1
    assert other.read_text(encoding="utf-8") == "other"


@pytest.mark.parametrize(
    ("files", "arguments", "said"),
    [
        ({}, ["nowhere"], "nowhere/lock: No such file or directory."),
        ({}, ["."], "config.json"),
        ({"config.json": "{}"}, [".", "--connector", "no-such-program"], "no-such-program: No such file or directory."),
        ({"config.json": "{}", "state.json": "{"}, ["."], "state.json is not a list of states: delete it to load"),
        ({"config.json": "[1"}, ["."], "config.json"),
    ],
)
def test_the_smallest_runner_never_ends_without_a_word(
    tmp_path: Path, files: dict[str, str], arguments: list[str], said: str
) -> None:
    """Each mistake is a sentence, never a traceback of the runner."""
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    connector = [] if "--connector" in arguments else ["--connector", str(PROGRAM)]
    command = [sys.executable, str(EXAMPLES / "one_sync.py"), *arguments, *connector]
    end = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=LONGEST_SECONDS)
    assert (end.returncode, said in end.stderr, "one_sync.py" in end.stderr) == (1, True, False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name the folder that holds config.json"),
        (["nowhere"], "nowhere is not a folder."),
        (["."], ". has no config.json."),
    ],
)
def test_the_docker_example_never_ends_without_a_word(tmp_path: Path, arguments: list[str], said: str) -> None:
    """Each mistake is a sentence, before docker is started."""
    script = str(EXAMPLES / "docker_sync.sh")
    end = subprocess.run([script, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (end.returncode, said in end.stderr) == (1, True)


WATCHED = """#!/bin/sh
for given do [ -f "$given" ] && ls -ld "$(dirname "$given")" >> {seen}; done
exec {program} "$@"
"""
"""The connector, behind a program that notes who may look into the folders of the files that it gets."""


def watched(folder: Path) -> Path:
    """Return the program; what it sees goes into `seen` in the folder."""
    program = folder / "watched"
    program.write_text(WATCHED.format(seen=folder / "seen", program=PROGRAM), encoding="utf-8")
    program.chmod(0o755)
    return program


def pyairbyte(example: str, folder: Path, config: Path, target: str) -> None:
    """Run an example in the environment of PyAirbyte."""
    in_pyairbyte(folder, str(EXAMPLES / example), str(config), target, str(watched(folder)))


def in_pyairbyte(folder: Path, *program: str) -> None:
    """Run a program of Python in the environment of PyAirbyte."""
    environment = {
        "AIRBYTE_OFFLINE_MODE": "1",
        "AIRBYTE_PROJECT_DIR": str(folder),
        "AIRBYTE_TEMP_DIR": str(folder),
        "DO_NOT_TRACK": "1",
        "NO_LIVE_PROGRESS": "1",
        "PYTHONPATH": str(ROOT),
    }
    result = subprocess.run(
        [str(PYAIRBYTE), "-W", "ignore", *program],
        cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=LONGEST_SECONDS,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-5000:]


QUERY = """
import sys, sqlalchemy
with sqlalchemy.create_engine(sys.argv[1]).connect() as connection:
    print(connection.execute(sqlalchemy.text(sys.argv[2])).all())
"""


def asked(folder: Path, cache: str, query: str) -> str:
    """Return what a query of SQLAlchemy's finds, in the environment of PyAirbyte."""
    command = [str(PYAIRBYTE), "-W", "ignore", "-c", QUERY, cache, query]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def test_pyairbyte_loads_duckdb_and_keeps_the_links(simulator: Simulator, tmp_path: Path) -> None:
    """Two runs of the script that README links: one submission, the bills are there once, only the owner can read."""
    assert "(examples/pyairbyte_duckdb.py)" in read("README.md")
    config, database = prepared(tmp_path, simulator, "user_good+duckdb"), tmp_path / "bills.duckdb"
    for _ in range(2):
        pyairbyte("pyairbyte_duckdb.py", tmp_path, config, str(database))
    assert submissions(simulator, "user_good+duckdb") == 1
    bills = sum(len(account["statements"]) for account in simulator.backend.document("user_good+duckdb")["accounts"])
    assert asked(tmp_path, f"duckdb:///{database}", "select count(*) from statements") == f"[({bills},)]"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (config, database)] == [0o600, 0o600]
    seen = {line[:10] for line in (tmp_path / "seen").read_text("utf-8").splitlines()}
    assert seen == {"drwx------"}  # nobody else can read the configuration that PyAirbyte hands over


WRONG_FILES = {
    "missing": (None, "cannot be read: No such file or directory."),
    "comma": (b'{"secret": "password-of-nobody",}', "is not valid JSON: "),
    "latin": (b'{"secret": "password-of-nobody\xe9"}', "is not written in UTF-8."),
    "array": (b'["password-of-nobody"]', "must hold a JSON object, in braces."),
}
"""Contents of a configuration file, and the sentence about each."""

EACH = """
import os, runpy, sys
program, *folders = sys.argv[1:]
for folder in folders:
    os.chdir(folder)
    sys.argv = [program, "config.json", "bills.duckdb", "x"]
    try:
        runpy.run_path(program, run_name="__main__")
    except SystemExit as end:
        print(end.code, file=sys.stderr)
"""
"""A program that runs an example in each folder; PyAirbyte is imported once."""


def test_a_wrong_configuration_file_of_an_example_ends_with_one_sentence(tmp_path: Path) -> None:
    """No traceback, and nothing of the file."""
    for name, (content, _) in WRONG_FILES.items():
        (tmp_path / name).mkdir()
        if content is not None:
            (tmp_path / name / "config.json").write_bytes(content)
    program = str(EXAMPLES / "pyairbyte_duckdb.py")
    command = [str(PYAIRBYTE), "-W", "ignore", "-c", EACH, program, *(str(tmp_path / name) for name in WRONG_FILES)]
    environment = {**os.environ, "AIRBYTE_OFFLINE_MODE": "1", "DO_NOT_TRACK": "1"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    said = result.stderr.splitlines()
    assert len(said) == len(WRONG_FILES)
    for line, (_, sentence) in zip(said, WRONG_FILES.values(), strict=True):
        assert line.startswith(f"The configuration file config.json {sentence}")
    assert "password-of-nobody" not in result.stderr + result.stdout


@pytest.fixture(scope="module")
def postgres() -> Iterator[dict[str, Any]]:
    """Run a PostgreSQL server."""
    with postgres_server() as options:
        yield options


def address_of(postgres: dict[str, Any]) -> str:
    """Return the address of a server as SQLAlchemy takes it."""
    return "postgresql+psycopg2://{username}:{password}@{host}:{port}/{database}".format(**postgres)


def test_pyairbyte_loads_postgresql_and_keeps_the_links(
    simulator: Simulator, tmp_path: Path, postgres: dict[str, Any]
) -> None:
    """Two runs against a real server: one submission, the bills are there once."""
    config, server = prepared(tmp_path, simulator, "user_good+postgres"), tmp_path / "server.json"
    server.write_text(json.dumps({**postgres, "schema_name": "bills"}), encoding="utf-8")
    for _ in range(2):
        pyairbyte("pyairbyte_postgres.py", tmp_path, config, str(server))
    found = asked(tmp_path, address_of(postgres), "select count(*) from bills.statements")
    assert submissions(simulator, "user_good+postgres") == 1
    bills = sum(len(account["statements"]) for account in simulator.backend.document("user_good+postgres")["accounts"])
    assert found == f"[({bills},)]"


READ = """
try:
    source.read(cache=DuckDBCache(db_path="bills.duckdb"), skip_validation=True)
except airbyte.exceptions.PyAirbyteError:
    pass
"""
CHECK = """
try:
    source.check()
except airbyte.exceptions.PyAirbyteError:
    pass
"""


def recipe(ending: str) -> str:
    """Return the recipe for PyAirbyte in docs/running.md with another ending."""
    (found,) = re.findall(r"```python\n(.*?)```", read("docs/running.md"), re.DOTALL)
    reading = 'source.read(cache=DuckDBCache(db_path="bills.duckdb"), skip_validation=True)\n'
    assert found.endswith(reading)
    return str(found).replace("linkless/bin/source-linkless", str(PROGRAM)).removesuffix(reading) + ending


def follow_recipe(simulator: Simulator, folder: Path, endings: dict[str, str], beginning: str = "") -> dict[str, int]:
    """Follow the recipe for each login, all in one process; return how often each login was submitted."""
    lines = ["import airbyte, os", beginning]  # PyAirbyte reads AIRBYTE_TEMP_DIR when it is imported: once for all
    for name, ending in endings.items():
        (folder / name).mkdir()
        prepared(folder / name, simulator, name).rename(folder / name / "my-config.json")
        lines += [f"os.chdir({str(folder / name)!r})", recipe(ending)]
    program = folder / "recipe.py"
    program.write_text("\n".join(lines), encoding="utf-8")
    in_pyairbyte(folder, str(program))
    return {name: submissions(simulator, name) for name in endings}


INTO_DUCKDB = {
    "user_good+recipe": READ * 2,
    "wrong_password+recipe": READ * 2,
    "instant+recipe": CHECK + READ,
    "mfa+recipe": CHECK + READ,
}
"""What is done in DuckDB by login: reads of good and of refused logins, and reads after a check."""


def test_the_recipe_for_pyairbyte_submits_a_login_once_in_a_process(simulator: Simulator, tmp_path: Path) -> None:
    """PyAirbyte goes on with the configuration it was given: the callback of the recipe gives it the links."""
    assert follow_recipe(simulator, tmp_path, INTO_DUCKDB) == dict.fromkeys(INTO_DUCKDB, 1)


INTO_POSTGRESQL = {
    "user_good+pg": READ * 2,
    "wrong_password+pg": CHECK + READ,
}
"""What is done in PostgreSQL by login: reads of a good password, and a read of a wrong one after a check."""


def test_the_recipe_submits_a_login_once_into_postgresql(
    simulator: Simulator, tmp_path: Path, postgres: dict[str, Any]
) -> None:
    """Each login is submitted once, and every bill of it is in the table once."""
    cache = f"ExactPostgresCache(**{ {**postgres, 'schema_name': 'recipe'}!r})"
    endings = {
        name: ending.replace('DuckDBCache(db_path="bills.duckdb")', cache) for name, ending in INTO_POSTGRESQL.items()
    }
    beginning = "from demo.exact_postgres import ExactPostgresCache"
    assert follow_recipe(simulator, tmp_path, endings, beginning) == dict.fromkeys(INTO_POSTGRESQL, 1)
    query = "select count(*), count(distinct statement_key) from recipe.statements"
    found = asked(tmp_path, address_of(postgres), query)
    documents = [simulator.backend.document(name) for name in INTO_POSTGRESQL if not name.startswith("wrong")]
    bills = sum(len(account["statements"]) for document in documents for account in document["accounts"])
    assert found == f"[({bills}, {bills})]"


MANIFESTS: list[dict[str, Any]] = list(yaml.safe_load_all(read("examples/kubernetes/cronjob.yaml")))


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda manifest: manifest["kind"])
def test_a_manifest_is_valid(manifest: dict[str, Any]) -> None:
    """By the schemas of Kubernetes, which refuse unknown fields."""
    kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_the_manifest_runs_this_version_without_rights() -> None:
    """The image has the version of the project; no container is root, may become it, or writes but where it must."""
    version = yaml.safe_load(read("metadata.yaml"))["data"]["dockerImageTag"]
    pod = MANIFESTS[1]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    containers = [*pod["initContainers"], *pod["containers"]]
    assert {container["image"] for container in containers} == {f"airbyte/source-linkless:{version}"}
    assert '--tag "airbyte/source-linkless:$version"' in read("scripts/image")  # the image that is built has this tag
    assert pod["securityContext"]["runAsNonRoot"] is True
    locked = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert [container["securityContext"] for container in containers] == [locked] * 2


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_says_what_it_does(path: Path) -> None:
    """Each is Python that compiles, and begins with what it is for."""
    assert ast.get_docstring(ast.parse(path.read_text("utf-8")))


def test_the_shell_script_can_be_read_by_bash() -> None:
    """It has no error of syntax, and may be executed."""
    script = EXAMPLES / "docker_sync.sh"
    subprocess.run(["bash", "-n", str(script)], check=True)  # noqa: S607 - bash from the PATH
    assert os.access(script, os.X_OK)


def test_the_recipe_for_meltano_can_be_read() -> None:
    """It is YAML, with one extractor that runs the image of this version."""
    recipe = yaml.safe_load(read("examples/meltano.yml"))
    (extractor,) = recipe["plugins"]["extractors"]
    assert extractor["config"]["airbyte_spec.image"] == "airbyte/source-linkless"
    assert extractor["config"]["airbyte_spec.tag"] == yaml.safe_load(read("metadata.yaml"))["data"]["dockerImageTag"]


def test_every_example_is_in_the_table() -> None:
    """The page says of each file whether it keeps the links, and what it was run with."""
    listed = set(re.findall(r"\]\(([\w./]+)\)", read("examples/README.md")))
    files = {
        str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*") if path.is_file() and path.suffix != ".pyc"
    }
    assert files - listed == {"README.md"}
