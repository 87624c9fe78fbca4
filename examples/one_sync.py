"""One sync into files, and the smallest runner that loses nothing: standard library only.

    python one_sync.py FOLDER [--connector PROGRAM]

FOLDER holds `config.json`, which you write, and what this program keeps there between syncs:

    config.json     with the links that the connector writes back: from the moment it writes them, for your eyes only
    catalog.json    what to sync: made at the first sync, every stream incrementally; edit it as you like
    state.json      where the next sync goes on: written after the records that it covers
    records/        one file per sync: each line a record of the Airbyte protocol, with its stream

A sync that fails keeps what arrived, too, and ends with the connector's exit code.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

Message = dict[str, Any]


def main() -> int:
    """Run the command; return the connector's exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--connector", default="source-linkless", help="the connector's program (default: %(default)s)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # process 1 of a container has no default
    os.umask(0o077)  # bills are nobody else's business
    with alone(options.folder):
        return sync(options.folder, options.connector)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Let nobody else sync with this folder: two syncs at once would submit the same login twice."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"Another sync is using {folder}.")
        yield


def sync(folder: Path, connector: str) -> int:
    """Run `discover` once, then `read`, and keep what it says."""
    config, catalog, state = folder / "config.json", folder / "catalog.json", folder / "state.json"
    if not catalog.exists():
        save(catalog, everything(discovered([connector, "discover", "--config", str(config)])))
    command = [connector, "read", "--config", str(config), "--catalog", str(catalog)]
    if state.exists():
        command += ["--state", str(state)]
    (folder / "records").mkdir(exist_ok=True)
    return kept(command, folder, folder / "records" / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.jsonl")


def discovered(command: list[str]) -> Message:
    """Return the catalog that the connector offers; end with its exit code when it fails."""
    result = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    catalogs = [message["catalog"] for message in messages(result.stdout.splitlines()) if message["type"] == "CATALOG"]
    if not catalogs:
        sys.exit(result.returncode or 1)
    return dict(catalogs[0])


def everything(catalog: Message) -> Message:
    """Return a configured catalog: every stream, incrementally, later rows in place of earlier ones."""
    mode = {"sync_mode": "incremental", "destination_sync_mode": "append_dedup"}
    keys = ("default_cursor_field", "source_defined_primary_key")
    return {
        "streams": [
            {"stream": stream, **mode, "cursor_field": stream[keys[0]], "primary_key": stream[keys[1]]}
            for stream in catalog["streams"]
        ]
    }


def kept(command: list[str], folder: Path, target: Path) -> int:
    """Run a read and keep its records, states and configurations; return its exit code."""
    part = target.with_suffix(".part")
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())  # the connector ends within a second
    assert process.stdout is not None  # noqa: S101 - asked for above
    with part.open("w", encoding="utf-8") as records:
        states = handled(messages(process.stdout), folder, records)
        records.flush()
        os.fsync(records.fileno())
    part.rename(target)  # first the records, then the states that cover them
    save(folder / "state.json", list({**read_states(folder), **states}.values()))
    return process.wait()


def handled(said: Iterator[Message], folder: Path, records: TextIO) -> dict[str, Message]:
    """Write records and configurations as they come; return the last state of each stream."""
    states: dict[str, Message] = {}
    for message in said:
        if message["type"] == "RECORD":
            print(json.dumps(message["record"]), file=records)
        elif message["type"] == "STATE":
            states[name(message["state"])] = message["state"]
        elif message["type"] == "CONTROL":
            save(
                folder / "config.json", message["control"]["connectorConfig"]["config"]
            )  # at once: a login is precious
        elif message["type"] == "LOG":
            print(message["log"]["level"], message["log"]["message"], file=sys.stderr)
        elif message["type"] == "TRACE" and message["trace"]["type"] == "ERROR":
            print("ERROR", message["trace"]["error"]["message"], file=sys.stderr)
    return states


def messages(lines: Any) -> Iterator[Message]:
    """Yield the messages of lines of bytes."""
    for line in lines:
        if line.strip():
            yield json.loads(line)


def read_states(folder: Path) -> dict[str, Message]:
    """Return the states of earlier syncs by stream: a stream that is not synced this time keeps its own."""
    path = folder / "state.json"
    return {name(state): state for state in json.loads(path.read_text("utf-8"))} if path.exists() else {}


def name(state: Message) -> str:
    """Return the name of a state's stream."""
    return str(state["stream"]["stream_descriptor"]["name"])


def save(path: Path, value: object) -> None:
    """Replace a file whole, readable for its owner only: a torn configuration would cost every link."""
    new = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


if __name__ == "__main__":
    sys.exit(main())
