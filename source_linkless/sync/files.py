"""The stream `statement_files`: which bills need their file, and the row and the staged file of each answer.

    document ──► wanted: bills with a statement_id that are new or changed ──► asked for, after the login's Finished
    answer   ──► rows ──► one record, and where the destination takes files the file in the staging folder
                  └─────► the mark of the bill goes into the state

The state holds, for each account, a mark of each bill that is done: fetched, or not available. A bill without a mark
is asked for in the next sync: one that is new, one whose content has changed, one that the deadline left over, and one
that failed. Marks of failed ones stand behind a space; these go last, so that they delay nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from airbyte_cdk.models import AirbyteRecordMessageFileReference
from airbyte_cdk.sources.utils.files_directory import get_files_directory

from source_linkless.bills import Account, content
from source_linkless.clock import Now, stamp
from source_linkless.errors import Status
from source_linkless.linking import events, of_surprise
from source_linkless.provider import StatementFile
from source_linkless.sync.changes import StreamChanges

_MARK = 6
"""Characters of a mark, 36 bits: of a hundred thousand accounts with 60 bills, one meets two equal ones."""
_MOST_PENDING = 20_000
"""Files that are known to be wanted at once, over all logins; more than a deadline leaves time for."""
_PIECE = 2**20
_NAMES = {Status.READY: "fetched", Status.NO_DATA: "not_available"}
"""`status` of a row; every other one is `failed`."""

Record = tuple[content.Rows, AirbyteRecordMessageFileReference | None]


class StatementFiles:
    """The files of one sync.

    Args:
        changes: the state of the stream.
        start_date: ISO date; files of bills dated before it are not asked for.
        takes_files: whether the destination takes files; else only rows are sent.
        now: the wall clock.
        folder: returns the staging folder, which the platform shares with the destination.
    """

    def __init__(
        self,
        changes: StreamChanges,
        *,
        start_date: str | None,
        takes_files: bool,
        now: Now,
        folder: Callable[[], str] = get_files_directory,
    ) -> None:
        self._changes, self._start_date, self._now = changes, start_date or "", now
        self._folder = folder if takes_files else None
        self._wanted = self._pending = 0
        self._counts: Counter[str] = Counter()

    def wanted(self, connection_key: str, account: Account) -> list[events.WantedFile]:
        """Return the files to ask for of an account, of the newest bills first.

        Forgets the bills that the account no longer has.
        """
        if not account.is_readable:
            return []
        remembered = self._changes.files(connection_key)
        marks = {_mark_of(bill.fingerprint): bill for bill in account.statements}
        done, failed = (one & marks.keys() for one in _read(remembered.get(account.number, "")))
        _remember(remembered, account.number, done, failed)
        found = [
            events.WantedFile(statement_id, account.number, bill.key, bill.billing_date, mark, mark in failed)
            for mark, bill in marks.items()
            if mark not in done and not (bill.billing_date and bill.billing_date < self._start_date)
            if isinstance(statement_id := bill.content().values.get("statement_id"), str) and statement_id.strip()
        ]
        found.sort(key=lambda one: one.billing_date or "", reverse=True)
        self._wanted += len(found)
        found = found[: max(0, _MOST_PENDING - self._pending)]
        self._pending += len(found)
        return found

    def record(self, answer: events.FileAnswered) -> Record:
        """Return the row of an answer and the reference to its staged file, if there is one; remembers the bill."""
        try:
            row, reference = self._row(answer)
        except OSError:
            row, reference = _row_of(answer.wanted, "failed", "NO_TEMPORARY_SPACE"), None
        except Exception as error:  # noqa: BLE001 - a file that nobody foresaw must cost nothing else
            row, reference = _row_of(answer.wanted, "failed", of_surprise(error).reason), None
        key, wanted, status = answer.login.key, answer.wanted, str(row["status"])
        self._counts[status] += 1
        self._pending -= 1
        remembered = self._changes.files(key)
        done, failed = _read(remembered.get(wanted.account_number, ""))
        (failed if status == "failed" else done).add(wanted.mark)
        _remember(remembered, wanted.account_number, done, failed - done)
        common = {"connection_key": key, "observed_at": self._changes.last_observed(key)}
        return content.Rows(content.members(common), [content.members(row)]), reference

    def summary(self) -> str | None:
        """Return one line about the files of this sync; None when none was wanted."""
        counts = [f"{number} {status.replace('_', ' ')}" for status, number in sorted(self._counts.items())]
        if left := self._wanted - self._counts.total():
            counts.append(f"{left} left to the next sync")
        return f"Files of bills: {', '.join(counts)}." if counts else None

    def _row(self, answer: events.FileAnswered) -> tuple[dict[str, object], AirbyteRecordMessageFileReference | None]:
        wanted, file = answer.wanted, answer.file
        if file is None:
            return _row_of(wanted, _NAMES.get(answer.outcome.status, "failed"), answer.outcome.reason), None
        path = file.path(answer.login.key, wanted.account_number, wanted.billing_date, wanted.statement_key)
        digest, reference = hashlib.sha256(), None
        if self._folder is None:
            for piece in _pieces(file):
                digest.update(piece)
        else:
            # A folder for each file: the destination deletes a staged file, whatever else has its name.
            staged = Path(self._folder(), "statement_files", uuid4().hex, path)
            _write(staged, _pieces(file), digest.update)
            reference = AirbyteRecordMessageFileReference(
                staging_file_url=str(staged), source_file_relative_path=str(path), file_size_bytes=len(file.content)
            )
        row = _row_of(wanted, "fetched", None) | {
            "file_name": path.name,
            "content_type": file.content_type,
            "size_bytes": len(file.content),
            "sha256": digest.hexdigest(),
            "fetched_at": stamp(self._now()),
        }
        return row, reference


def _row_of(wanted: events.WantedFile, status: str, reason: str | None) -> dict[str, object]:
    number, key = wanted.account_number, wanted.statement_key
    return content.known(
        account_number=number, statement_key=key, statement_id=wanted.statement_id, status=status, reason=reason
    )


def _pieces(file: StatementFile) -> Iterator[bytes]:
    """Yield the bytes of a file: a large one is on disk, and must not come into memory whole."""
    return (file.content[start : start + _PIECE] for start in range(0, len(file.content), _PIECE))


def _write(path: Path, pieces: Iterable[bytes], seen: Callable[[bytes], object]) -> None:
    """Write a file in a folder of its own; one that could not be written whole is deleted. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("wb") as file:
            for piece in pieces:
                seen(piece)
                file.write(piece)
    except OSError:
        with suppress(OSError):
            path.unlink()
        raise


def _mark_of(fingerprint: str) -> str:
    """Return what stands for a bill in the state: another one for every other content."""
    return base64.urlsafe_b64encode(content.blake2b_of(fingerprint.encode(), 6)).decode()[:_MARK]


def _read(written: str) -> tuple[set[str], set[str]]:
    """Return the marks of bills that are done, and of those that failed."""
    done, _, failed = written.partition(" ")
    return _divided(done), _divided(failed)


def _divided(marks: str) -> set[str]:
    return {marks[start : start + _MARK] for start in range(0, len(marks), _MARK)}


def _remember(remembered: dict[str, str], number: str, done: set[str], failed: set[str]) -> None:
    """Write the marks of an account; an account without any is not written at all."""
    text = "".join(sorted(done)) + (" " + "".join(sorted(failed)) if failed else "")
    if text:
        remembered[number] = text
    else:
        remembered.pop(number, None)
