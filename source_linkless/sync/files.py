"""The stream `statement_files`: which bills need their file, and the row and the staged file of each answer.

    document ──► wanted: bills with a statement_id that are new or changed ──► asked for, after the login's Finished
    answer   ──► rows ──► one record, and where the destination takes files the file in the staging folder
                  └─────► the mark of the bill goes into the state

The state holds the marks of an account's bills as one text: those that are done (fetched, or not available), then
behind a space those that failed. Every other bill is asked for in the next sync: a new one, one whose content has
changed, one that the deadline left over. The failed ones are asked for last, so that they delay nothing else.
"""

import base64
import hashlib
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any
from uuid import uuid4

from airbyte_cdk.models import AirbyteRecordMessageFileReference as FileReference

from source_linkless.bills import Account, content
from source_linkless.clock import Now, stamp
from source_linkless.errors import Status
from source_linkless.linking import events, of_surprise
from source_linkless.provider import Body
from source_linkless.sync.changes import StreamChanges

_MARK = re.compile(".{6}")
"""A mark has 36 bits: about 1 in 40 million accounts with 60 bills has two bills with the same mark."""
_MOST_PENDING = 20_000
"""Files that are known to be wanted at once, over all logins; more than a deadline leaves time for."""
_NAMES = {Status.READY: "fetched", Status.NO_DATA: "not_available"}  # `status` of a row; every other one is `failed`


@dataclass(slots=True)
class StatementFiles:
    """The files of one sync.

    `changes` has the state of the stream. Bills dated before `start_date`, an ISO date, are not asked for. A
    destination that takes files finds them in the `staging` folder, which the platform shares with it.
    """

    changes: StreamChanges
    start_date: str | None
    now: Now
    staging: str | None
    _wanted: int = 0
    _asked: int = 0
    _counts: Counter[str] = field(default_factory=Counter)

    def wanted(self, connection_key: str, account: Account) -> list[events.WantedFile]:
        """Return the files to ask for of an account, of the newest bills first; forgets bills that are gone."""
        if not account.is_readable:
            return []
        start, bills = self.start_date or "", {_mark_of(bill.fingerprint): bill for bill in account.statements}
        with self._remembered(connection_key, account.number) as failed:
            for mark in failed.keys() - bills.keys():
                del failed[mark]
        found = [
            events.WantedFile(statement_id, account.number, bill.key, bill.billing_date, mark, mark in failed)
            for mark, bill in bills.items()
            if failed.get(mark, True) and (bill.billing_date or start) >= start
            if (statement_id := bill.content().values.get("statement_id", "")).strip()
        ]
        found.sort(key=lambda one: one.billing_date or "", reverse=True)
        self._wanted += len(found)
        found = found[: max(0, _MOST_PENDING - self._asked + self._counts.total())]
        self._asked += len(found)
        return found

    def record(self, answer: events.FileAnswered) -> tuple[content.Rows, FileReference | None]:
        """Return the row of an answer and the reference to its staged file, if there is one; remembers the bill."""
        key, wanted, file = answer.login.key, answer.wanted, answer.file
        status, reason = _NAMES.get(answer.outcome.status, "failed"), answer.outcome.reason
        facts: dict[str, Any] = {}
        reference = None
        if file is not None:
            try:
                path = file.path(key, wanted.account_number, wanted.billing_date, wanted.statement_key)
                reference = _staged(file.content, self.staging, path) if self.staging else None
                facts = {
                    "file_name": path.name,
                    "content_type": file.content_type,
                    "size_bytes": len(file.content),
                    "sha256": hashlib.sha256(file.content).hexdigest(),
                    "fetched_at": stamp(self.now()),
                }
            except OSError:
                status, reason = "failed", "NO_TEMPORARY_SPACE"
            except Exception as error:  # noqa: BLE001 - an unexpected error must fail this file only
                status, reason = "failed", of_surprise(error).reason
        self._counts[status] += 1
        with self._remembered(key, wanted.account_number) as failed:
            failed[wanted.mark] = status == "failed"
        row = content.known(
            account_number=wanted.account_number,
            statement_key=wanted.statement_key,
            statement_id=wanted.statement_id,
            status=status,
            reason=reason,
            **facts,
        )
        common = {"connection_key": key, "observed_at": self.changes.known(key).observed_at}
        return content.Rows(content.members(common), [content.members(row)]), reference

    def summary(self) -> str | None:
        """Return one line about the files of this sync; None when none was wanted."""
        counts = [f"{number} {status.replace('_', ' ')}" for status, number in sorted(self._counts.items())]
        if left := self._wanted - self._counts.total():
            counts.append(f"{left} left to the next sync")
        return f"Files of bills: {', '.join(counts)}." if counts else None

    @contextmanager
    def _remembered(self, connection_key: str, number: str) -> Iterator[dict[str, bool]]:
        """Give the marks of an account to be changed, and whether each has failed."""
        files = self.changes.known(connection_key).files
        done, _, failed = files.get(number, "").partition(" ")
        marks = dict.fromkeys(_MARK.findall(failed), True) | dict.fromkeys(_MARK.findall(done), False)
        yield marks
        done, failed = ("".join(sorted(mark for mark in marks if marks[mark] is kind)) for kind in (False, True))
        files[number] = f"{done} {failed}".rstrip()
        if not marks:
            del files[number]


def _mark_of(fingerprint: str) -> str:
    """Return what stands for a bill in the state: another one for every other content."""
    return base64.urlsafe_b64encode(hashlib.blake2b(fingerprint.encode(), digest_size=6).digest()).decode()[:6]


def _staged(file: Body, folder: str, path: PurePath) -> FileReference:
    """Stage a file, in a folder of its own: the destination deletes it, whatever else has its name."""
    own = Path(folder, "statement_files", uuid4().hex)
    try:
        (own / path).parent.mkdir(parents=True)
        (own / path).write_bytes(file)
    except OSError:
        shutil.rmtree(own, ignore_errors=True)
        raise
    staged, name = str(own / path), str(path)
    return FileReference(staging_file_url=staged, source_file_relative_path=name, file_size_bytes=len(file))
