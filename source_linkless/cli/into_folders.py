"""The commands `linkless catalog`, `run` and `files`: a whole sync, or the original documents of bills, in a folder.

    run    CONFIG ──► source-linkless read ──► FOLDER/records/TIME.jsonl   whole, or not there
             ▲                 │               FOLDER/state.json           after the records that it covers
             └── links, at once┘               FOLDER/catalog.json         what to sync; made by the first run

    files  FOLDER/KEY/ACCOUNT/DATE STATEMENT.pdf    each gets its name when it is whole
           FOLDER/index.csv                         one row per bill: its file, its checksum, or why there is none

Every file is replaced in one step, so a kill at any moment leaves the files of the run before. Records that were not
covered by a state are sent again. A document that is there with the checksum of the index is not asked for again.
"""

import asyncio
import csv
import fcntl
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from importlib import resources
from operator import itemgetter
from pathlib import Path
from typing import IO, Any

from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from source_linkless.bills import UnreadableDocument, read_document
from source_linkless.cli.terminal import Terminal, printable, table
from source_linkless.cli.workspace import ConfigText, Exit, Workspace, replace_file, told, whole_file
from source_linkless.clock import stamp
from source_linkless.config import Login
from source_linkless.errors import Problem, Status, invalid_configuration
from source_linkless.json_files import FileProblem
from source_linkless.linking import Run
from source_linkless.provider import Body

_CONNECTOR = [sys.executable, "-P", "-c", "from source_linkless.run import run; run()"]
_RECORD = b'{"type":"RECORD","record":'
_SAVE_EVERY = 25  # files that a run asks for again after a kill


def configured_catalog(streams: Collection[str], mode: str) -> dict[str, Any]:
    """Return a configured catalog of the named streams, by default all but opt-in ones, in the connector's order."""
    text = resources.files("source_linkless").joinpath("messages/catalog.json").read_text(encoding="utf-8")
    offered = {stream["name"]: stream for stream in json.loads(text)["catalog"]["streams"]}
    if unknown := sorted({*streams} - {*offered}):
        raise invalid_configuration(
            f"There is no stream {', '.join(map(repr, unknown))}. The streams are: {', '.join(offered)}."
        )
    return {
        "streams": [
            {
                "stream": stream,
                "sync_mode": mode,
                "destination_sync_mode": "append_dedup" if mode == "incremental" else "overwrite",
                "cursor_field": stream["default_cursor_field"],
                "primary_key": stream["source_defined_primary_key"],
            }
            for name, stream in offered.items()
            if (name in streams if streams else not stream.get("is_file_based"))
        ]
    }


def catalog(terminal: Terminal, streams: Sequence[str], mode: str) -> int:
    """Print a configured catalog of the streams in comma-separated lists; returns the exit code."""
    names = [name.strip() for listed in streams for name in listed.split(",") if name.strip()]
    terminal.say(json.dumps(configured_catalog(names, mode), indent=2))
    return Exit.OK


def run(terminal: Terminal, config: Path, folder: Path | None) -> int:
    """Sync once, by default into CONFIG without its suffix and with `.sync`; returns the connector's exit code."""
    workspace = Workspace(ConfigText.read(config))
    folder = folder or config.with_suffix(".sync")
    with _alone(folder):
        workspace.prove_writable()
        catalog, state = folder / "catalog.json", folder / "state.json"
        earlier = _states_in(state)
        if not catalog.exists():
            _save(catalog, configured_catalog((), "incremental"))
        command = [*_CONNECTOR, "read", "--config", str(config), "--catalog", str(catalog)]
        sync = _Sync(terminal, workspace, folder)
        code = sync.run([*command, "--state", str(state)] if earlier else command)
        if sync.states:
            _save(state, list({**earlier, **sync.states}.values()))
    if sync.problem:
        raise sync.problem
    if code < 0:
        raise FileProblem(f"The connector was ended by signal {-code}. What had arrived is kept.")
    if sync.counts:
        rows = [[name, count] for name, count in sorted(sync.counts.items())]
        terminal.say(f"{table('Stream', 'Records', rows=rows)}\nWritten to {sync.target}.")
    return code


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder for one run: two runs at once would submit the same login twice. Raises FileProblem."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "records").mkdir(mode=0o700, exist_ok=True)
        lock = os.fdopen(os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
    except OSError as error:
        raise FileProblem(f"Cannot write {error.filename or folder}: {error.strerror}.") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FileProblem(f"Another sync is using {folder}.") from None
        yield


class _Sync:
    """One run of the connector: the records by stream, their file, the states, and what could not be written."""

    def __init__(self, terminal: Terminal, workspace: Workspace, folder: Path) -> None:
        self._terminal, self._text = terminal, workspace.text
        self._process: subprocess.Popen[bytes] | None = None
        self._is_stopped = False
        self.problem: FileProblem | None = None
        self.states: dict[str, Any] = {}
        self.counts: Counter[str] = Counter()
        self.target = folder / "records" / f"{workspace.surroundings.now():%Y%m%dT%H%M%S%f}Z.jsonl"

    def run(self, command: Sequence[str]) -> int:
        """Run the connector to its end; returns its exit code, or that of an interruption."""
        for rest in self.target.parent.glob("*.part"):
            rest.unlink()  # of a run that was killed
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda _number, _frame: self._stop())
        # In a session of its own, so that Ctrl-C reaches it through this process: as SIGTERM, once.
        with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:  # noqa: S603 - ours
            self._process = process
            if self._is_stopped:
                process.terminate()
            try:
                with told(self.target), whole_file(self.target) as records:
                    for line in process.stdout or ():
                        if line.endswith(b"\n"):  # the last line of a connector that was killed may not be whole
                            self._handle(line, records)
            except FileProblem as problem:
                self._stop(problem)
                self.states.clear()  # their records are not kept
        return Exit.INTERRUPTED if self._is_stopped else process.returncode

    def _stop(self, problem: FileProblem | None = None) -> None:
        """Stop the connector, within a second and at the end of a line: for a person, or as something is not kept."""
        self._is_stopped |= problem is None
        self.problem = self.problem or problem
        if self._process is not None:
            self._process.terminate()

    def _handle(self, line: bytes, records: IO[bytes]) -> None:
        message = json.loads(line)
        match message["type"]:
            case "RECORD":
                self.counts[message["record"]["stream"]] += 1
                records.write(record_in(line) + b"\n")
            case "STATE":
                state = message["state"]
                self.states[state["stream"]["stream_descriptor"]["name"]] = state
            case "CONTROL":
                self._keep_links(message["control"]["connectorConfig"]["config"]["links"])
            case "LOG" if message["log"]["level"] != "FATAL":  # the error trace says the same
                self._terminal.note(printable(f"{message['log']['level']} {message['log']['message']}"))
            case "TRACE" if message["trace"]["type"] == "ERROR":
                self._terminal.note(printable(f"ERROR {message['trace']['error']['message']}"))

    def _keep_links(self, links: str) -> None:
        """Write the links into the file as it is now: an edit that was made meanwhile stays."""
        text = self._text
        with suppress(FileProblem, AirbyteTracedException):  # it is broken now: the text of the start is not
            text = ConfigText.read(text.path)
        text.raw["links"] = links
        try:
            text.write(text.path)
        except FileProblem as problem:
            self._stop(problem)


def record_in(line: bytes) -> bytes:
    """Return the record in a line of the connector, unread: a number that is read and written may lose digits."""
    return line.rstrip()[len(_RECORD) : -1]


def _states_in(path: Path) -> dict[str, Any]:
    """Return the states of earlier runs by stream: a stream that is not selected this time keeps its own."""
    try:
        return {state["stream"]["stream_descriptor"]["name"]: state for state in json.loads(path.read_bytes())}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        raise FileProblem(f"{path} is not a list of states: delete it to load everything again.") from None


def _save(path: Path, value: object) -> None:
    replace_file(path, json.dumps(value, indent=2, ensure_ascii=False).encode())


_COLUMNS = [
    *("key", "account_number", "statement_key", "statement_id", "billing_date", "status", "reason"),
    *("file", "content_type", "size_bytes", "sha256", "fetched_at"),
]
Row = dict[str, str]  # of the index; `status` is fetched, not_available or failed, `file` the path in the folder
_identity = itemgetter("key", "account_number", "statement_id")


async def files(terminal: Terminal, config: Path, keys: Sequence[str], folder: Path, since: datetime | None) -> int:
    """Download the files of bills, but for those dated before `since`, and write the index; returns the exit code."""
    workspace = Workspace(ConfigText.read(config))
    personal_data = workspace.config.personal_data
    if personal_data != "keep":
        raise invalid_configuration(
            f"'personal_data' is {personal_data}, and the files of bills are full of personal data: none is fetched. "
            "Set it to keep in a configuration of its own for this."
        )
    logins = workspace.selected(keys)
    run = await workspace.started(workspace.config.data_timeout_seconds)
    download = _Download(terminal, run, folder, f"{since:%Y-%m-%d}" if since else "")
    code = Exit.OK
    try:
        for login in logins:
            code = max(code, await download.login(login))
    finally:
        download.write_index()
    shown = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in sorted(download.counts.items()))
    terminal.tell(f"Bills: {shown or 'none'}. The index is {folder / 'index.csv'}.")
    return code


class _Download:
    """The index of a folder and the files in it; `counts` are the bills of this run by what became of them."""

    def __init__(self, terminal: Terminal, run: Run, folder: Path, since: str) -> None:
        self._terminal, self._run, self._folder, self._since = terminal, run, folder, since
        self._index = _read_index(folder / "index.csv")
        self.counts: Counter[str] = Counter()
        with told(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def login(self, login: Login) -> Exit:
        """Download the files of one login that are missing; returns the exit code that it asks for."""
        token = self._run.links.token(login)
        if token is None:
            self._terminal.tell(f"{login.key}: not linked yet. Run `linkless link` first.")
            return Exit.PERSON
        try:
            bills = list(self._bills(login.key, await self._run.ask(lambda api: api.document(token))))
        except (Problem, UnreadableDocument) as error:
            advice = f" {error.meaning.advice}" if isinstance(error, Problem) else ""
            self._terminal.tell(f"{login.key}: {error}.{advice}".replace("..", "."))
            return Exit.FAILED
        console = Console(stderr=True, color_system=None, highlight=False)
        columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn()
        is_hidden = not (bills and console.is_terminal)
        with Progress(*columns, console=console, disable=is_hidden, transient=True) as progress:
            task = progress.add_task(login.key, total=len(bills))

            async def fetch(row: Row) -> None:
                await self._bill(token, row)
                progress.advance(task)

            await asyncio.gather(*map(fetch, bills))
        return Exit.FAILED if any(self._index[_identity(row)]["status"] == "failed" for row in bills) else Exit.OK

    def _bills(self, key: str, body: Body) -> Iterator[Row]:
        """Yield a row for each bill that has a statement_id and is not before `since`."""
        for account in read_document(body).accounts():
            for bill in account.statements:
                statement_id = bill.content().values.get("statement_id")
                date = bill.billing_date or ""
                if isinstance(statement_id, str) and statement_id and not (date and date < self._since):
                    yield dict(zip(_COLUMNS, (key, account.number, bill.key, statement_id, date), strict=False))

    async def _bill(self, token: str, row: Row) -> None:
        async with self._run.files:
            known = self._index.get(_identity(row))
            if known and _sum(self._folder / known["file"]) == known["sha256"]:
                self._index[_identity(row)] = {**known, "billing_date": row["billing_date"]}
                self.counts["already there"] += 1
                return
            try:
                file = await self._run.ask(lambda api: api.statement_file(token, row["statement_id"]))
            except Problem as problem:
                status = "not_available" if problem.meaning.status is Status.NO_DATA else "failed"
                facts = {"reason": problem.reason}
            else:
                path = file.path(row["key"], row["account_number"], row["billing_date"], row["statement_key"])
                digest = await asyncio.to_thread(_write, self._folder / path, file.content)
                status, size = "fetched", str(len(file.content))
                facts = {"file": str(path), "content_type": file.content_type, "size_bytes": size, "sha256": digest}
            now = stamp(self._run.surroundings.now())
            self._index[_identity(row)] = {**row, "status": status, **facts, "fetched_at": now}
            self.counts[status] += 1
            if self.counts.total() % _SAVE_EVERY == 0:
                self.write_index()

    def write_index(self) -> None:
        page = io.StringIO(newline="")
        writer = csv.DictWriter(page, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(self._index.values(), key=itemgetter("key", "account_number", "billing_date")))
        replace_file(self._folder / "index.csv", page.getvalue().encode())


def _read_index(path: Path) -> dict[tuple[str, str, str], Row]:
    """Return the rows of an earlier run. Raises FileProblem for a file that is no index."""
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            reader = csv.DictReader(lines, restval="", strict=True)
            rows = list(reader)
            if reader.fieldnames != _COLUMNS or any(None in row for row in rows):
                raise ValueError  # noqa: TRY301 - one sentence for everything that is no index
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, csv.Error):
        raise FileProblem(f"{path} is not an index of this command: move it away.") from None
    return {_identity(row): row for row in rows}


def _write(path: Path, content: Body) -> str:
    """Write the file of a bill; returns its SHA-256. Raises FileProblem."""
    with told(path.parent):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with told(path), whole_file(path) as file:
        file.write(content)
    return hashlib.sha256(content).hexdigest()


def _sum(path: Path) -> str | None:
    """Return the SHA-256 of a file, or None when there is none."""
    with suppress(OSError), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
    return None
