"""The command `linkless files`: the original documents of bills, in a folder with an index.

    FOLDER/KEY/ACCOUNT/DATE STATEMENT.pdf    each gets its name when it is whole
    FOLDER/index.csv                         one row per bill: its file, its checksum, or why there is none

A file that is there with the size and checksum of the index is not asked for again, so a run that was stopped goes on.
"""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import os
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from source_linkless.bills import UnreadableDocument, read_document
from source_linkless.cli.commands import FAILED, OK, PERSON, Setting
from source_linkless.cli.workspace import Draft, FileProblem, Workspace, replace_file
from source_linkless.clock import stamp
from source_linkless.config import Login
from source_linkless.errors import Problem, Status, invalid_configuration
from source_linkless.linking import by_hand
from source_linkless.provider import Body

INDEX = "index.csv"
_AT_ONCE = 4
_SAVE_EVERY = 25  # files that a run asks for again after a kill
_PIECE = 2**20


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the index. `status` is fetched, not_available or failed; `file` is the path in the folder."""

    key: str
    account_number: str
    statement_key: str
    statement_id: str
    billing_date: str
    status: str = ""
    reason: str = ""
    file: str = ""
    content_type: str = ""
    size_bytes: str = ""
    sha256: str = ""
    fetched_at: str = ""


async def files(setting: Setting, source: Path, folder: Path, keys: Collection[str], since: str | None) -> int:
    """Download the files of bills, and write the index; returns the exit code.

    `since` is a date: bills before it are left out, bills without a date are not. Raises FileProblem.
    """
    workspace = Draft(source).opened(setting.surroundings)
    if workspace.config.personal_data != "keep":
        raise invalid_configuration(
            f"'personal_data' is {workspace.config.personal_data}, and the files of bills are full of personal data: "
            "none is fetched. Set it to keep in a configuration of its own for this."
        )
    named = {workspace.login(key).key for key in keys}
    download = _Download(setting, workspace, folder, since or "")
    return await download.run([login for login in workspace.config.logins if not named or login.key in named])


class _Download:
    def __init__(self, setting: Setting, workspace: Workspace, folder: Path, since: str) -> None:
        self._setting, self._folder, self._since = setting, folder, since
        self._workspace, self._links, self._now = workspace, workspace.links, workspace.surroundings.now
        self._index = _read_index(folder / INDEX)
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._counts: Counter[str] = Counter()

    async def run(self, logins: list[Login]) -> int:
        """Download what is missing; the index is written in any case."""
        _make(self._folder)
        code = OK
        workspace = self._workspace
        provider = await by_hand.Files.opened(workspace.config, workspace.links, workspace.surroundings)
        try:
            for login in logins:
                code = max(code, await self._login(provider, login))
        finally:
            self._write_index()
        shown = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in sorted(self._counts.items()))
        self._setting.say(f"Bills: {shown or 'none'}. The index is {self._folder / INDEX}.")
        return code

    async def _login(self, provider: by_hand.Files, login: Login) -> int:
        """Download the files of one login; returns the exit code that it asks for."""
        if self._links.token(login) is None:
            self._setting.say(f"{login.key}: not linked yet. Run `linkless link` first.")
            return PERSON
        try:
            bills = list(self._bills(login.key, await provider.document(login)))
        except (Problem, UnreadableDocument) as error:
            advice = f" {error.meaning.advice}" if isinstance(error, Problem) else ""
            self._setting.say(f"{login.key}: {error}.{advice}".replace("..", "."))
            return FAILED
        problem: BaseException | None = None
        with _progress(login.key, len(bills)) as progress:
            task = progress.add_task(login.key, total=len(bills))
            try:
                async with asyncio.TaskGroup() as tasks:
                    for row in bills:
                        tasks.create_task(self._bill(provider, login, row)).add_done_callback(
                            lambda _: progress.advance(task)
                        )
            except* FileProblem as problems:
                problem = problems.exceptions[0]
        if problem is not None:
            raise problem
        return FAILED if any(self._index[_identity(row)].status == "failed" for row in bills) else OK

    def _bills(self, key: str, body: Body) -> Iterator[Row]:
        """Yield a row for each bill that has a statement_id and is not before `since`."""
        for account in read_document(body).accounts():
            for bill in account.statements:
                statement_id = bill.content().values.get("statement_id")
                date = bill.billing_date or ""
                if isinstance(statement_id, str) and statement_id and not (date and date < self._since):
                    yield Row(key, account.number, bill.key, statement_id, date)

    async def _bill(self, provider: by_hand.Files, login: Login, row: Row) -> None:
        async with self._slots:
            known = self._index.get(_identity(row))
            if known is not None and known.status == "fetched" and _sum(self._folder / known.file) == known.sha256:
                self._index[_identity(row)] = replace(known, billing_date=row.billing_date)
                self._counts["already there"] += 1
                return
            found = await self._fetched(provider, login, row)
            self._index[_identity(row)] = found
            self._counts[found.status] += 1
            if self._counts.total() % _SAVE_EVERY == 0:
                self._write_index()

    async def _fetched(self, provider: by_hand.Files, login: Login, row: Row) -> Row:
        """Download the file of one bill. Raises FileProblem when it cannot be written."""
        try:
            file = await provider.statement_file(login, row.statement_id)
        except Problem as problem:
            status = "not_available" if problem.meaning.status is Status.NO_DATA else "failed"
            return replace(row, status=status, reason=problem.reason, fetched_at=stamp(self._now()))
        path = file.path(row.key, row.account_number, row.billing_date, row.statement_key)
        digest = await asyncio.to_thread(_write, self._folder / path, file.content)
        return replace(
            row,
            status="fetched",
            file=str(path),
            content_type=file.content_type,
            size_bytes=str(len(file.content)),
            sha256=digest,
            fetched_at=stamp(self._now()),
        )

    def _write_index(self) -> None:
        page = io.StringIO(newline="")
        names = [one.name for one in fields(Row)]
        writer = csv.writer(page, lineterminator="\n")
        writer.writerow(names)
        for row in sorted(self._index.values(), key=lambda row: (row.key, row.account_number, row.billing_date)):
            writer.writerow([getattr(row, name) for name in names])
        replace_file(self._folder / INDEX, page.getvalue().encode())


def _identity(row: Row) -> tuple[str, str, str]:
    return row.key, row.account_number, row.statement_id


def _read_index(path: Path) -> dict[tuple[str, str, str], Row]:
    """Return the rows of an earlier run. Raises FileProblem for a file that is no index."""
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            reader = csv.DictReader(lines, strict=True)
            rows = [Row(**entry) for entry in reader]
            if reader.fieldnames != [one.name for one in fields(Row)]:
                raise ValueError  # noqa: TRY301 - one sentence for everything that is no index
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, csv.Error):
        raise FileProblem(f"{path} is not an index of this command: move it away.") from None
    return {_identity(row): row for row in rows}


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise FileProblem(f"Cannot write {folder}: {error.strerror}.") from None


def _write(path: Path, content: Body) -> str:
    """Write a file that gets its name when it is whole; returns its SHA-256. Raises FileProblem."""
    digest = hashlib.sha256()
    _make(path.parent)
    name = ""
    try:
        descriptor, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            for start in range(0, len(content), _PIECE):
                piece = content[start : start + _PIECE]
                digest.update(piece)
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError as error:
        raise FileProblem(f"Cannot write {path}: {error.strerror}.") from None
    finally:
        with suppress(OSError):
            Path(name).unlink()
    return digest.hexdigest()


def _sum(path: Path) -> str | None:
    """Return the SHA-256 of a file, or None when there is none."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _progress(key: str, count: int) -> Progress:
    """Return a bar on standard error; nothing is shown where that is no terminal."""
    console = Console(stderr=True, color_system=None, highlight=False)
    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn()
    return Progress(*columns, console=console, disable=not (count and console.is_terminal and key), transient=True)
