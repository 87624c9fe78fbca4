"""One sync into files: the smallest runner that loses nothing. It needs the standard library only.

    python one_sync.py FOLDER [--connector PROGRAM]

FOLDER holds `config.json`, which you write, and what this program keeps there between syncs:

    config.json     with the links that the connector writes back: from the moment it writes them, for your eyes only
    catalog.json    what to sync: made at the first sync, every stream incrementally; edit it as you like
    state.json      where the next sync goes on: written after the records that it covers
    records/        one file per sync: each line a record of the Airbyte protocol, with its stream

A sync that fails keeps what arrived, too, and ends with the connector's exit code. `linkless run`, which is installed
with the connector, does the same; this is for runners of your own.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
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
    os.umask(0o077)  # bills are for the owner of the folder only
    try:
        with alone(options.folder):
            return sync(options.folder, options.connector)
    except OSError as error:
        sys.exit(f"{error.filename or options.folder}: {error.strerror}.")
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder for one sync: two syncs at once would submit the same login twice."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"Another sync is using {folder}.")
        yield


def sync(folder: Path, connector: str) -> int:
    """Run `discover` once, then `read`, and keep what it says."""
    config, catalog, state = folder / "config.json", folder / "catalog.json", folder / "state.json"
    states = read_states(state)
    if not catalog.exists():
        save(catalog, everything(discovered([connector, "discover", "--config", str(config)])))
    command = [connector, "read", "--config", str(config), "--catalog", str(catalog)]
    if states:
        command += ["--state", str(state)]
    (folder / "records").mkdir(exist_ok=True)
    for rest in (folder / "records").glob("*.part"):
        rest.unlink()  # of a sync that was killed: no state covers it
    return kept(command, folder, states)


def discovered(command: list[str]) -> Message:
    """Return the catalog that the connector offers; print what it says and end with its exit code when it fails."""
    result = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    found: Message | None = None
    for message in messages(result.stdout.splitlines(keepends=True)):
        found = message["catalog"] if message["type"] == "CATALOG" else found
        show(message)
    if found is None:
        print(f"{command[0]} offered no streams (exit code {result.returncode}).", file=sys.stderr)
        sys.exit(result.returncode or 1)
    return found


def everything(catalog: Message) -> Message:
    """Return a configured catalog: streams incrementally, later rows in place of earlier ones.

    Without `statement_files`, whose every row costs a request.
    """
    mode = {"sync_mode": "incremental", "destination_sync_mode": "append_dedup"}
    keys = ("default_cursor_field", "source_defined_primary_key")
    return {
        "streams": [
            {"stream": stream, **mode, "cursor_field": stream[keys[0]], "primary_key": stream[keys[1]]}
            for stream in catalog["streams"]
            if not stream.get("is_file_based")
        ]
    }


def kept(command: list[str], folder: Path, states: dict[str, Message]) -> int:
    """Run a read and keep its records, states and configurations; return its exit code."""
    target = folder / "records" / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.jsonl"
    part = target.with_suffix(".part")
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())  # the connector ends within a second
    signal.signal(signal.SIGINT, lambda *_: process.terminate())
    assert process.stdout is not None  # noqa: S101 - asked for above
    with part.open("x", encoding="utf-8") as records:
        new = handled(messages(process.stdout), folder, records)
        records.flush()
        os.fsync(records.fileno())
    part.rename(target)  # first the records, then the states that cover them
    save(folder / "state.json", list({**states, **new}.values()))
    code = process.wait()
    if code < 0:
        print(f"The connector was ended by signal {-code}. What had arrived is kept.", file=sys.stderr)
    return code if code >= 0 else 128 - code


def handled(said: Iterator[Message], folder: Path, records: TextIO) -> dict[str, Message]:
    """Write records and configurations as they come; return the last state of each stream."""
    states: dict[str, Message] = {}
    for message in said:
        if message["type"] == "RECORD":
            print(json.dumps(message["record"]), file=records)
        elif message["type"] == "STATE":
            states[name(message["state"])] = message["state"]
        elif message["type"] == "CONTROL":  # at once: a token that is lost means that the login is submitted again
            save(folder / "config.json", message["control"]["connectorConfig"]["config"])
        show(message)
    return states


def show(message: Message) -> None:
    """Print the log and the errors of the connector."""
    if message["type"] == "LOG" and message["log"]["level"] != "FATAL":  # the error trace says the same
        print(message["log"]["level"], message["log"]["message"], file=sys.stderr)
    elif message["type"] == "TRACE" and message["trace"]["type"] == "ERROR":
        print("ERROR", message["trace"]["error"]["message"], file=sys.stderr)


def messages(lines: Iterable[bytes]) -> Iterator[Message]:
    """Yield the messages of whole lines; the last line of a connector that was killed may be cut."""
    for line in lines:
        if line.endswith(b"\n") and line.strip():
            yield json.loads(line)


def read_states(path: Path) -> dict[str, Message]:
    """Return the states of earlier syncs by stream: a stream that is not synced this time keeps its own."""
    try:
        return {name(state): state for state in json.loads(path.read_text("utf-8"))}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, KeyError):
        sys.exit(f"{path} is not a list of states: delete it to load everything again.")


def name(state: Message) -> str:
    """Return the name of a state's stream."""
    return str(state["stream"]["stream_descriptor"]["name"])


def save(path: Path, value: object) -> None:
    """Replace a file whole, readable for its owner only: a torn configuration would cost every link."""
    descriptor, new = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # a new file, whatever was planted
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)  # noqa: PTH105 - `new` is a name


if __name__ == "__main__":
    sys.exit(main())
