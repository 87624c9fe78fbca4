"""What all commands share: the configuration file, where they run, exit codes, and files that are replaced whole.

    file ──► ConfigText (a password may be missing) ──► Workspace (Config and Links) ──► file, replaced in one step

A command changes three things: the property `links`, a password that was typed, an entry that is forgotten. A changed
file is written as well-formed JSON with the order, indentation and line ends that it had.
"""

import csv
import errno
import io
import json
import os
import re
import stat
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from enum import IntEnum
from pathlib import Path
from typing import IO, Any, Self

from source_linkless import json_files
from source_linkless.cli.terminal import TEXTS
from source_linkless.concurrency import Emit
from source_linkless.config import Login, logins
from source_linkless.errors import Actor, Status, invalid_configuration
from source_linkless.json_files import FileProblem
from source_linkless.linking import Run, Surroundings, events, opened
from source_linkless.provider import outcomes

_MARK = "\ufeff"
_INDENT = re.compile(r"\s*[\[{][^\S\n]*\r?\n([ \t]+)\S")


class Exit(IntEnum):
    """Exit codes: all is well; it failed; the command or the configuration is wrong; a person is needed; Ctrl-C."""

    OK, FAILED, WRONG, PERSON, INTERRUPTED = 0, 1, 2, 3, 130


class ConfigText:
    """A configuration file; `raw`, the object in it, may be changed, and is written in the form of the file."""

    def __init__(self, text: str, path: Path) -> None:
        """Take the text of the file at `path`. Raises a config error when it holds no JSON object."""
        self._text, self.path = text, path
        try:
            self.raw = json_files.parse_object(text, path, "configuration")
        except FileProblem as problem:
            raise invalid_configuration(str(problem)) from None

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file. Raises FileProblem, or a config error when it holds no JSON object."""
        return cls(json_files.read_text(path, "configuration"), path)

    def write(self, target: Path) -> None:
        """Replace a file by the text as it is now; see `replace_file`. Raises FileProblem."""
        replace_file(target, self.text.encode())

    @property
    def text(self) -> str:
        """The text of the file as it is now; one that has not changed keeps every character."""
        before = json_files.parse(self._text, self.path, "configuration")
        return self._text if self.raw == before else _written_like(self._text, self.raw)

    @property
    def entries(self) -> list[Mapping[str, Any]]:
        """The logins as they are written, in their order; empty when the list cannot be read."""
        connection = self.raw.get("connection")
        if not isinstance(connection, Mapping):
            return []
        if connection.get("method") != "fleet":
            return [connection]
        listed = connection.get("connections")
        with suppress(logins.UnreadableError):
            entries = logins.read_entries(listed if isinstance(listed, list) else str(listed or ""))
            return [entry if isinstance(entry, Mapping) else {} for entry in entries]
        return []

    def set_password(self, number: int, password: str) -> None:
        """Set the password of the entry `number` (from 0). Raises a config error for CSV without a column for it."""
        self.replace_entry(number, {**self.entries[number], "password": password})

    def replace_entry(self, number: int, *new: Mapping[str, Any]) -> None:
        """Put one entry or none in the place of the entry `number`; the last one takes `connection` with it."""
        entries, connection = self.entries, self.raw["connection"]
        entries[number : number + 1] = new
        if not entries:
            del self.raw["connection"]
        elif connection.get("method") == "fleet":
            listed = _listed_like(connection["connections"], entries)
            self.raw["connection"] = {**connection, "connections": listed}
        else:
            self.raw["connection"] = entries[0]


def _written_like(text: str, value: object) -> str:
    """Write a value as JSON with the indentation, line ends and escapes of a text."""
    indented = _INDENT.match(text.removeprefix(_MARK))
    is_escaped = (text.isascii() and "\\u" in text) or "\\ud" in text.lower()  # half a surrogate has no other form
    written = json.dumps(value, indent=indented[1] if indented else None, ensure_ascii=is_escaped)
    mark, end = _MARK if text.startswith(_MARK) else "", text[len(text.rstrip()) :]
    return mark + written.replace("\n", "\r\n" if "\r\n" in text else "\n") + end


def _listed_like(listed: Any, entries: Sequence[Mapping[str, Any]]) -> Any:
    """Return entries in the form of a list: an array, or a text of JSON or CSV."""
    if isinstance(listed, list):
        return entries
    if logins.looks_like_json(listed):
        return _written_like(listed, entries)
    text = listed.removeprefix(_MARK)
    rows = logins.csv_reader(text)
    header = next(row for row in rows if any(map(str.strip, row)))
    names = [cell.strip().lower() for cell in header]
    if any("password" in entry for entry in entries) and "password" not in names:
        raise invalid_configuration("The pasted list needs a column 'password' first.")
    page = io.StringIO(newline="")
    end = "\r\n" if "\r\n" in text else "\n"
    writer = csv.writer(page, delimiter=rows.dialect.delimiter, lineterminator=end)
    writer.writerows([header, *([entry.get(name, "") for name in names] for entry in entries)])
    return listed[: len(listed) - len(text)] + page.getvalue()


def lacks_password(entry: Mapping[str, Any]) -> bool:
    """Tell whether a password is all that an entry lacks; a person can type it."""
    others = ("password", "login_fields", "access_token")
    return bool(entry.get("username")) and not any(entry.get(name) for name in others)


_OUTSIDE = Surroundings()  # the real network and clocks


class Workspace:
    """What a command works with; `keep` and `forget` write each change before anything else happens."""

    def __init__(self, text: ConfigText, target: Path | None = None, surroundings: Surroundings = _OUTSIDE) -> None:
        """Register every secret for masking, then parse. Changes go to `target`, by default back."""
        self.text, self.surroundings, self.target = text, surroundings, target or text.path
        self.config, self.links = opened(text.raw, surroundings)
        self._keys = [login.key for login in self.config.logins]

    def selected(self, keys: Collection[str]) -> list[Login]:
        """Return the logins with these keys, by default all. Raises a config error for a key that is not configured."""
        if unknown := [key for key in keys if key not in self._keys]:
            raise invalid_configuration(f"The configuration has no login with the key {unknown[0]}.")
        return [login for login in self.config.logins if not keys or login.key in keys]

    async def started(self, seconds: float, *emit: Emit[events.Event]) -> Run:
        """Begin a run of at most `seconds` and test its keys; `emit` takes what it reports, if that is of interest."""
        run = Run(self.config, self.links, self.surroundings, seconds, *emit)
        await run.test_keys()
        return run

    def prove_writable(self) -> None:
        """Write the file as it is: a disk that refuses does so before anything is sent. Raises FileProblem."""
        self.text.write(self.target)

    def keep(self, passwords: Mapping[str, str]) -> None:
        """Write the links as they are now, and the passwords that a person typed, by key. Raises FileProblem."""
        self.text.raw["links"] = self.links.dump()
        for key, password in passwords.items():
            self.text.set_password(self._keys.index(key), password)
        self.text.write(self.target)

    def forget(self, login: Login) -> None:
        """Remove a login and its link from the file. Raises FileProblem."""
        self.links.drop(login)
        self.text.replace_entry(self._keys.index(login.key))
        self.keep({})


def code_of(ends: Sequence[outcomes.Outcome]) -> Exit:
    """Return 3 when a person must act, 1 when something else is wrong, else 0."""
    bad = [one for one in ends if one.status in (Status.NEEDS_USER, Status.FAILED)]
    if any(one.actor is Actor.USER for one in bad):
        return Exit.PERSON
    return Exit.FAILED if bad else Exit.OK


def replace_file(path: Path, content: bytes) -> None:
    """Replace a regular file in one step, as `whole_file` does; nothing else is replaced. Raises FileProblem."""
    with suppress(OSError):  # there is no such file yet, or the next step says why it cannot be written
        if not stat.S_ISREG(path.lstat().st_mode):
            raise FileProblem(f"Cannot write {path}: it is not a regular file. Name one, and no symbolic link to it.")
    with told(path, is_advised=True), whole_file(path) as file:
        file.write(content)


@contextmanager
def told(path: Path, *, is_advised: bool = False) -> Iterator[None]:
    """Raise FileProblem when `path` cannot be written, with what to do about it if asked."""
    try:
        yield
    except OSError as error:
        texts, name = TEXTS["by_errno"], errno.errorcode.get(error.errno or 0)
        advice = f" {texts.get(name or '', texts['other'])}" if is_advised else ""
        raise FileProblem(f"Cannot write {path}: {error.strerror}.{advice}") from None


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for its owner only that takes the place of `path` at the end: whole, also after a power failure."""
    # The name may be as long as the system allows, so the temporary one has a part of it.
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=".part", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        with suppress(OSError):  # root, as in a container, keeps the owner of the file that was there
            was = path.lstat()
            os.chown(name, was.st_uid, was.st_gid)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
    with suppress(OSError), ExitStack() as stack:  # some file systems do not support it
        folder = os.open(path.parent, os.O_RDONLY)
        stack.callback(os.close, folder)
        os.fsync(folder)
