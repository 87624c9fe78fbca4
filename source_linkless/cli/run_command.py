"""The commands `linkless catalog` and `linkless run`: one whole sync by hand, into files.

    CONFIG ──► source-linkless read ──► FOLDER/records/TIME.jsonl   whole, or not there
      ▲                 │               FOLDER/state.json           after the records that it covers
      └── links, at once┘               FOLDER/catalog.json         what to sync; made by the first run

Every file is replaced in one step, so a kill at any moment leaves the files of the run before. Records that were not
covered by a state are sent again.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path
from typing import IO, Any

from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_linkless.cli.commands import INTERRUPTED, Setting
from source_linkless.cli.screen import printable, table
from source_linkless.cli.workspace import ConfigText, Draft, FileProblem, replace_file, sync_folder
from source_linkless.errors import invalid_configuration

MODES = {"incremental": "append_dedup", "full_refresh": "overwrite"}
"""The sync modes of a catalog, and how the destination takes the records of each."""

_CONNECTOR = [sys.executable, "-P", "-c", "from source_linkless.run import run; run()"]
_RECORD = b'{"type":"RECORD","record":'

Message = dict[str, Any]


def configured_catalog(streams: Collection[str], mode: str) -> Message:
    """Return a configured catalog of the named streams, in the order of the connector; by default all but opt-in ones.

    Raises a config error for a stream that does not exist.
    """
    text = resources.files("source_linkless").joinpath("messages/catalog.json").read_text(encoding="utf-8")
    offered = {stream["name"]: stream for stream in json.loads(text)["catalog"]["streams"]}
    unknown = sorted({*streams} - {*offered})
    if unknown:
        raise invalid_configuration(
            f"There is no stream {', '.join(map(repr, unknown))}. The streams are: {', '.join(offered)}."
        )
    return {
        "streams": [
            {
                "stream": stream,
                "sync_mode": mode,
                "destination_sync_mode": MODES[mode],
                "cursor_field": stream["default_cursor_field"],
                "primary_key": stream["source_defined_primary_key"],
            }
            for name, stream in offered.items()
            if (name in streams if streams else not stream.get("is_file_based"))
        ]
    }


def run(setting: Setting, source: Path, folder: Path | None) -> int:
    """Sync once and keep records, states and links; returns the exit code of the connector.

    `folder` is by default CONFIG without its suffix and with `.sync`. Raises FileProblem, and the config error of a
    mistake in the configuration before anything is sent.
    """
    draft = Draft(source)
    draft.opened(setting.surroundings)
    folder = folder or source.with_suffix(".sync")
    with _alone(folder):
        draft.file.write(draft.text.text)  # a disk that refuses does so before anything is sent
        sync = _Sync(setting, draft, folder)
        code = sync.run()
    if sync.counts:
        rows = [[name, count] for name, count in sorted(sync.counts.items())]
        setting.screen.say(f"{table('Stream', 'Records', rows=rows)}\nWritten to {sync.target}.")
    return code


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder for one run: two runs at once would submit the same login twice. Raises FileProblem."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "records").mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise FileProblem(f"Cannot write {error.filename or folder}: {error.strerror}.") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise FileProblem(f"Another sync is using {folder}.") from None
    finally:
        os.close(descriptor)


class _Sync:
    """One run of the connector; `counts` are the records by stream, `target` is their file."""

    def __init__(self, setting: Setting, draft: Draft, folder: Path) -> None:
        self._setting, self._draft, self._folder = setting, draft, folder
        self._process: subprocess.Popen[bytes] | None = None
        self._is_stopped = False
        self._problem: FileProblem | None = None
        self.counts: Counter[str] = Counter()
        now = time.time_ns()
        name = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(now // 10**9))}{now // 1000 % 10**6:06d}Z.jsonl"
        self.target = folder / "records" / name

    def run(self) -> int:
        """Run the connector to its end. Raises FileProblem when something could not be written."""
        states = self._earlier_states()
        command = self._command(has_state=bool(states))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda _number, _frame: self._stop())
        # In a session of its own, so that Ctrl-C reaches it through this process: as SIGTERM, once.
        with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:  # noqa: S603 - ours
            self._process = process
            if self._is_stopped:
                process.terminate()
            assert process.stdout is not None  # noqa: S101 - asked for above
            new = self._kept(process.stdout)
        if new:
            self._save("state.json", list({**states, **new}.values()))
        if self._problem:
            raise self._problem
        if self._is_stopped:
            return INTERRUPTED
        if process.returncode < 0:
            raise FileProblem(f"The connector was ended by signal {-process.returncode}. What had arrived is kept.")
        return process.returncode

    def _stop(self) -> None:
        self._is_stopped = True
        if self._process is not None:
            self._process.terminate()  # the connector ends within a second, at the end of a line

    def _command(self, *, has_state: bool) -> list[str]:
        catalog = self._folder / "catalog.json"
        if not catalog.exists():
            self._save(catalog.name, configured_catalog((), "incremental"))
        state = ["--state", str(self._folder / "state.json")] if has_state else []
        return [*_CONNECTOR, "read", "--config", str(self._draft.file.source), "--catalog", str(catalog), *state]

    def _earlier_states(self) -> dict[str, Message]:
        """Return the states of earlier runs by stream: a stream that is not selected this time keeps its own."""
        path = self._folder / "state.json"
        try:
            return {_name(state): state for state in json.loads(path.read_bytes())}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            raise FileProblem(f"{path} is not a list of states: delete it to load everything again.") from None

    def _kept(self, lines: IO[bytes]) -> dict[str, Message]:
        """Write records into a file that gets its name when it is whole; return the last state of each stream."""
        for rest in (self._folder / "records").glob("*.part"):
            rest.unlink()  # of a run that was killed
        part = self.target.with_suffix(".part")
        states: dict[str, Message] = {}
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as records:
                for line in lines:
                    if line.endswith(b"\n"):  # the last line of a connector that was killed may not be whole
                        self._handle(line, records, states)
                records.flush()
                os.fsync(records.fileno())
            part.rename(self.target)
            sync_folder(self.target.parent)
        except OSError as error:
            self._failed(FileProblem(f"Cannot write {self.target}: {error.strerror}."))
            return {}
        return states

    def _handle(self, line: bytes, records: IO[bytes], states: dict[str, Message]) -> None:
        message = json.loads(line)
        match message["type"]:
            case "RECORD":
                self.counts[message["record"]["stream"]] += 1
                records.write(record_in(line) + b"\n")
            case "STATE":
                states[_name(message["state"])] = message["state"]
            case "CONTROL":
                self._keep_links(message["control"]["connectorConfig"]["config"]["links"])
            case "LOG" if message["log"]["level"] != "FATAL":  # the error trace says the same
                self._setting.screen.note(printable(f"{message['log']['level']} {message['log']['message']}"))
            case "TRACE" if message["trace"]["type"] == "ERROR":
                self._setting.screen.note(printable(f"ERROR {message['trace']['error']['message']}"))

    def _keep_links(self, links: str) -> None:
        """Write the links into the file as it is now: an edit that was made meanwhile stays."""
        file, text = self._draft.file, self._draft.text
        with suppress(FileProblem, AirbyteTracedException):  # it is broken now: the text of the start is not
            text = ConfigText(file.read())
        try:
            file.write(text.with_links(links).text)
        except FileProblem as problem:
            self._failed(problem)

    def _failed(self, problem: FileProblem) -> None:
        """Stop the connector, as its links or records cannot be kept any more."""
        self._problem = self._problem or problem
        if self._process is not None:
            self._process.terminate()

    def _save(self, name: str, value: object) -> None:
        replace_file(self._folder / name, json.dumps(value, indent=2, ensure_ascii=False).encode())


def record_in(line: bytes) -> bytes:
    """Return the record in a line of the connector, unread: a number that is read and written may lose digits."""
    return line.rstrip()[len(_RECORD) : -1]


def _name(state: Message) -> str:
    return str(state["stream"]["stream_descriptor"]["name"])
