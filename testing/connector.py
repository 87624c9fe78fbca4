"""The connector as the platform runs it: a process of its own, files for its arguments, messages on its output.

    connector = Connector(tmp_path)
    run = connector.read(login_at(simulator, "user_good"))
    assert run.code == 0
    assert run.rows("connections")[0]["status"] == "ready"

Tests look at the output itself: whole lines, in order. `check`, `discover` and `read` run in a process that is
forked from one with the connector imported, which saves a second of imports each time. `start` and `start_read` run the
installed program, as do commands with environment variables of their own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, TypeVar

from airbyte_cdk.models import SyncMode
from airbyte_cdk.models.airbyte_protocol_serializers import ConfiguredAirbyteCatalogSerializer

from linkless_simulator import Simulator
from testing.forked_connector import ForkedRun
from testing.worlds import ALL_STREAMS, catalog_of

PROGRAM = Path(sys.executable).with_name("source-linkless")
"""The console script of the environment that runs the tests."""
LONGEST_SECONDS = 300
STOP_SECONDS = 10
"""The patience of `docker stop`: what has not ended by itself then is killed."""

T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """How one process ended, and its output."""

    code: int
    stdout: str
    stderr: str

    @cached_property
    def messages(self) -> list[dict[str, Any]]:
        """Every message in order. A line ends at a line feed and nowhere else, and each must be whole JSON."""
        assert self.stdout.endswith("\n"), "the output ends in the middle of a line"
        return [json.loads(line) for line in self.stdout.removesuffix("\n").split("\n")]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the messages of a type (`RECORD`, `STATE`, ...) without their envelope."""
        return [message[_CONTENT[kind]] for message in self.messages if message["type"] == kind]

    def rows(self, stream: str) -> list[dict[str, Any]]:
        """Return the records of a stream in the order sent."""
        return [dict(record["data"]) for record in self.of("RECORD") if record["stream"] == stream]

    def statuses(self, stream: str) -> list[str]:
        """Return the statuses of a stream in the order sent."""
        told = [trace["stream_status"] for trace in self.of("TRACE") if trace["type"] == "STREAM_STATUS"]
        return [one["status"] for one in told if one["stream_descriptor"]["name"] == stream]

    def logs(self, level: str) -> list[str]:
        """Return the log lines of a level (`INFO`, `WARN`, `FATAL`)."""
        return [log["message"] for log in self.of("LOG") if log["level"] == level]

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The error traces in the order sent; the first decides for the platform."""
        return [trace["error"] for trace in self.of("TRACE") if trace["type"] == "ERROR"]

    @property
    def verdict(self) -> tuple[str, str]:
        """The answer of a check: its status and its message."""
        (answer,) = self.of("CONNECTION_STATUS")
        return answer["status"], answer["message"]

    @property
    def written(self) -> list[dict[str, Any]]:
        """Every configuration that was written back, in order."""
        return [control["connectorConfig"]["config"] for control in self.of("CONTROL")]

    @property
    def states(self) -> list[dict[str, Any]]:
        """The last state of every stream, as the platform hands it to the next sync."""
        last = {state["stream"]["stream_descriptor"]["name"]: state for state in self.of("STATE")}
        return list(last.values())

    @property
    def said(self) -> str:
        """Both outputs without the configurations that were written back."""
        lines = [line for line in self.stdout.split("\n") if not line.startswith('{"type":"CONTROL"')]
        return "\n".join([*lines, self.stderr])


_CONTENT = {
    "CATALOG": "catalog",
    "CONNECTION_STATUS": "connectionStatus",
    "CONTROL": "control",
    "LOG": "log",
    "RECORD": "record",
    "STATE": "state",
    "TRACE": "trace",
}


class Connector:
    """Runs commands of the connector; their files lie in a folder of the test."""

    def __init__(self, folder: Path) -> None:
        """Use `folder` for the files of every run."""
        self._folder = folder
        self._count = 0

    def check(self, config: Mapping[str, Any], *flags: str, **environment: str) -> Run:
        """Run `check` to its end; `environment` are further environment variables."""
        return self._run("check", config, *flags, **environment)

    def discover(self, config: Mapping[str, Any], *flags: str, **environment: str) -> Run:
        """Run `discover` to its end."""
        return self._run("discover", config, *flags, **environment)

    def read(
        self,
        config: Mapping[str, Any],
        *flags: str,
        catalog: Mapping[str, Any] | None = None,
        state: Iterable[Mapping[str, Any]] = (),
        **environment: str,
    ) -> Run:
        """Run `read` to its end: every stream incrementally unless a `catalog` says otherwise."""
        files = ("--catalog", self._file(catalog or catalog_json()), "--state", self._file(list(state)))
        return self._run("read", config, *files, *flags, **environment)

    def _run(self, command: str, config: Mapping[str, Any], *arguments: str, **environment: str) -> Run:
        if environment:
            return ended(self.start(command, config, *arguments, **environment))
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        run = ForkedRun.of(folder, command, "--config", self._file(config), *arguments).ended()
        return Run(run.code, run.output.decode(), run.errors)

    def start(
        self,
        command: str,
        config: Mapping[str, Any],
        *arguments: str,
        **environment: str,
    ) -> subprocess.Popen[bytes]:
        """Start a command and return its process."""
        return self._started(subprocess.PIPE, [command, "--config", self._file(config), *arguments], environment)

    def start_into(
        self, output: IO[bytes], command: str, config: Mapping[str, Any], through: Iterable[str] = ()
    ) -> subprocess.Popen[bytes]:
        """Start a command of every stream that writes into a file; `through` is a program that starts it."""
        files = ["--catalog", self._file(catalog_json())] if command == "read" else []
        return self._started(output, [command, "--config", self._file(config), *files], {}, through)

    @staticmethod
    def _started(
        output: int | IO[bytes], arguments: list[str], environment: Mapping[str, str], through: Iterable[str] = ()
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*through, str(PROGRAM), *arguments],
            stdout=output,
            stderr=subprocess.PIPE,
            env={**os.environ, **environment},
        )

    def start_read(self, config: Mapping[str, Any]) -> subprocess.Popen[bytes]:
        """Start a read of every stream and return its process."""
        return self.start("read", config, "--catalog", self._file(catalog_json()))

    def _file(self, value: object) -> str:
        self._count += 1
        path = self._folder / f"{self._count}.json"
        path.write_text(json.dumps(value), encoding="utf-8")
        return str(path)


def ended(process: subprocess.Popen[bytes], *, already_read: bytes = b"") -> Run:
    """Wait for the end of a process; `already_read` is what was taken from its output before."""
    stdout, stderr = process.communicate(timeout=LONGEST_SECONDS)
    return Run(process.returncode, (already_read + stdout).decode(), stderr.decode())


def together(*calls: Callable[[], T]) -> list[T]:
    """Make several calls, two at a time; results in the order of the calls."""
    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(lambda call: call(), calls))


def catalog_json(
    names: Iterable[str] = ALL_STREAMS, mode: SyncMode = SyncMode.incremental, **choices: Any
) -> dict[str, Any]:
    """Return a configured catalog as the platform writes it; `choices` as in `worlds.catalog_of`."""
    written: dict[str, Any] = ConfiguredAirbyteCatalogSerializer.dump(catalog_of(names, mode, **choices))
    return written


def login_at(simulator: Simulator, username: str, **options: Any) -> dict[str, Any]:
    """Return a configuration with one login at the simulator and short pauses; `options` replace or add."""
    login = {
        "method": "login",
        "source_id": simulator.source_id,
        "username": username,
        "password": "pass_good",
        "key": username.replace("+", "-"),
    }
    quick = {"poll_interval_seconds": 0.05, "max_requests_per_second": 100, "api_url": simulator.url}
    keys = {"environment": "sandbox", "client_id": simulator.client_id, "secret": simulator.secret}
    return {**keys, **quick, "connection": login, **options}


def linked_at(simulator: Simulator, username: str, **options: Any) -> dict[str, Any]:
    """Return a configuration with the token of a login that was linked before: a read submits nothing."""
    token = simulator.backend.link(username)
    connection = {"method": "access_token", "access_token": token, "key": username.replace("+", "-")}
    return login_at(simulator, username, connection=connection, **options)


def fleet_at(simulator: Simulator, *entries: Mapping[str, Any], **options: Any) -> dict[str, Any]:
    """Return a configuration with a pasted list; an entry needs a `key` or a `username` only."""
    base = {"source_id": simulator.source_id, "password": "pass_good"}
    whole = [{"key": entry["username"], **base, **entry} if "username" in entry else dict(entry) for entry in entries]
    connection = {"method": "fleet", "connections": json.dumps(whole)}
    return login_at(simulator, "", connection=connection, **options)


def edited(config: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a configuration whose login a user has edited in the form."""
    return {**config, "connection": {**config["connection"], **changes}}
