"""The configuration file of a command: its text, its meaning, and what is changed in it.

    file ──► Draft (text; a password may be missing) ──► Workspace (Config and Links) ──► file, replaced in one step

A command changes three things: the property `links`, a password that was typed, an entry that is forgotten. A changed
file is written as well-formed JSON with the order, indentation and line ends that it had.
"""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from source_linkless import json_files
from source_linkless.config import Config, Login, logins, masking, parse_config
from source_linkless.errors import invalid_configuration
from source_linkless.linking import Surroundings, events, opened

_ADVICE = {
    errno.EBUSY: "A single file mounted into a container cannot be replaced: mount its folder.",
    errno.ENOSPC: "The disk is full: free some space.",
    errno.EFBIG: "The file may not grow any more: raise the limit for the size of files.",
}
_OTHER_ADVICE = "Make its folder writable."
_MARK = "\ufeff"
_INDENT = re.compile(r"\s*[\[{][^\S\n]*\r?\n([ \t]+)\S")


class FileProblem(events.NotWrittenError):
    """A file cannot be read or written; the text is a sentence for a person."""


class ConfigFile:
    """Where a configuration is read and where it is written."""

    def __init__(self, source: Path, target: Path | None = None) -> None:
        """Read from `source` and write to `target`, or back; nothing is touched yet."""
        self.source, self.target = source, target or source

    def read(self) -> str:
        """Return the text of the file. Raises FileProblem, or a config error when it holds no JSON object."""
        try:
            text = json_files.read_text(self.source, "configuration")
        except json_files.FileProblem as problem:
            raise FileProblem(str(problem)) from None
        try:
            json_files.parse_object(text, self.source, "configuration")
        except json_files.FileProblem as problem:
            raise invalid_configuration(str(problem)) from None
        return text

    def write(self, text: str) -> None:
        """Replace the target file by `text`; see `replace_file`. Raises FileProblem."""
        replace_file(self.target, text.encode("utf-8"))


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file in one step, readable and writable by its owner only. Raises FileProblem.

    A reader sees the old content or the new one, and so does a reader after a power failure. Only a regular file is
    replaced: a device, a folder or a symbolic link is refused.
    """
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise FileProblem(f"Cannot write {path}: it is not a regular file. Name one, and no symbolic link to it.")
    except OSError:
        pass  # there is no such file yet, or the next step says why it cannot be written
    try:
        _replace(path, content)
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, _OTHER_ADVICE)
        raise FileProblem(f"Cannot write {path}: {error.strerror}. {advice}") from None


def _replace(target: Path, content: bytes) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".new", dir=target.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _keep_owner(name, target)
        Path(name).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    sync_folder(target.parent)


def _keep_owner(name: str, target: Path) -> None:
    """Keep the owner of the file when root runs the command, as in a container."""
    with suppress(OSError):  # there is no file yet, or only root may do that
        was = target.lstat()
        os.chown(name, was.st_uid, was.st_gid)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power failure."""
    with suppress(OSError):  # some file systems do not support it
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class ConfigText:
    """The text of a configuration. Each change returns a new one. Raises a config error when it is no JSON object."""

    def __init__(self, text: str) -> None:
        """Read the text; `raw` is the configuration as the connector gets it."""
        self.text = text
        try:
            raw = json.loads(text.removeprefix(_MARK), parse_constant=_refuse)
            json.dumps(raw, allow_nan=False)
        except (ValueError, RecursionError):
            raw = None
        if not isinstance(raw, dict):
            raise invalid_configuration("The configuration file must hold one JSON object.")
        self.raw: dict[str, Any] = raw

    @property
    def entries(self) -> list[Mapping[str, Any]]:
        """The logins as they are written, in their order; empty when the list cannot be read."""
        connection = self.raw.get("connection")
        if not isinstance(connection, Mapping):
            return []
        if connection.get("method") != "fleet":
            return [connection]
        listed = connection.get("connections")
        try:
            entries = listed if isinstance(listed, list) else logins.read_entries(str(listed or ""))
        except logins.UnreadableError:
            return []
        return [entry if isinstance(entry, Mapping) else {} for entry in entries]

    def with_links(self, links: str) -> ConfigText:
        """Return the text with another value of the property `links`."""
        return self._with({**self.raw, "links": links})

    def with_password(self, number: int, password: str) -> ConfigText:
        """Return the text with another password in the entry `number` (from 0).

        Raises a config error for a CSV list without a column for passwords.
        """
        connection = self.raw["connection"]
        if connection.get("method") != "fleet":
            return self._with_connection({**connection, "password": password})
        return self._with_list(number, password)

    def without_entry(self, number: int) -> ConfigText:
        """Return the text without the entry `number`; the last entry takes the property `connection` with it."""
        if len(self.entries) == 1:
            return self._with({name: value for name, value in self.raw.items() if name != "connection"})
        return self._with_list(number, None)

    def _with_list(self, number: int, password: str | None) -> ConfigText:
        connection = self.raw["connection"]
        listed = connection["connections"]
        if isinstance(listed, list):
            changed: object = _changed(listed, number, password)
        elif logins.looks_like_json(listed):
            changed = _written_like(listed, _changed(json.loads(listed.removeprefix(_MARK)), number, password))
        else:
            changed = _csv_list(listed, number, password)
        return self._with_connection({**connection, "connections": changed})

    def _with_connection(self, connection: Mapping[str, Any]) -> ConfigText:
        return self._with({**self.raw, "connection": connection})

    def _with(self, raw: Mapping[str, Any]) -> ConfigText:
        return self if raw == self.raw else ConfigText(_written_like(self.text, raw))


def _refuse(_constant: str) -> None:
    raise ValueError  # NaN and Infinity are no JSON


def _written_like(text: str, value: object) -> str:
    """Write a value as JSON with the indentation, line ends and escapes of a text."""
    indented = _INDENT.match(text.removeprefix(_MARK))
    is_escaped = (text.isascii() and "\\u" in text) or "\\ud" in text.lower()  # half a surrogate has no other form
    written = json.dumps(value, indent=indented[1] if indented else None, ensure_ascii=is_escaped)
    end = text[len(text.rstrip()) :]
    mark = _MARK if text.startswith(_MARK) else ""
    return mark + written.replace("\n", "\r\n" if "\r\n" in text else "\n") + end


def _changed(entries: list[dict[str, Any]], number: int, password: str | None) -> list[dict[str, Any]]:
    """Set the password of an entry, or take the entry out when it is None."""
    new = [] if password is None else [{**entries[number], "password": password}]
    return [*entries[:number], *new, *entries[number + 1 :]]


def _csv_list(text: str, number: int, password: str | None) -> str:
    """Set the password of a row (from 0, header not counted), or take the row out when it is None."""
    lines, delimiter = io.StringIO(text.removeprefix(_MARK), newline=""), logins.delimiter_of(text)
    rows = list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True))
    filled = [row for row in rows if any(cell.strip() for cell in row)]
    names, row = [cell.strip().lower() for cell in filled[0]], filled[number + 1]
    if password is None:
        rows = [one for one in rows if one is not row]
    elif "password" not in names:
        raise invalid_configuration("The pasted list needs a column 'password' first.")
    else:
        row.extend([""] * (len(names) - len(row)))
        row[names.index("password")] = password
    page = io.StringIO(newline="")
    csv.writer(page, delimiter=delimiter, lineterminator="\r\n" if "\r\n" in text else "\n").writerows(rows)
    return (_MARK if text.startswith(_MARK) else "") + page.getvalue()


def lacks_password(entry: Mapping[str, Any]) -> bool:
    """Tell whether a password is all that an entry lacks; a person can type it."""
    others = ("password", "login_fields", "access_token")
    return bool(entry.get("username")) and not any(entry.get(name) for name in others)


class Draft:
    """A configuration as it was read; a password may still be missing."""

    def __init__(self, source: Path, target: Path | None = None) -> None:
        """Read the file. Raises FileProblem, or a config error when it holds no JSON object."""
        self.file = ConfigFile(source, target)
        self.text = ConfigText(self.file.read())

    def entry_of(self, key: str | None) -> int | None:
        """Return the number of the entry with this key, or of the only entry."""
        entries = self.text.entries
        if key is None or len(entries) == 1:
            return 0 if len(entries) == 1 else None
        return next((number for number, one in enumerate(entries) if str(one.get("key")).strip() == key), None)

    def opened(self, surroundings: Surroundings) -> Workspace:
        """Return the workspace. Raises the config error of the first mistake in the configuration."""
        return Workspace(self, surroundings)

    def keys_only(self, surroundings: Surroundings) -> Config:
        """Return the configuration with the provider's keys; logins are not needed to search for a utility.

        Every secret in the file is registered for masking, those of logins too.
        """
        for secret in masking.secrets_in(self.text.raw):
            surroundings.mask(secret)
        login = {"method": "access_token", "access_token": "not used"}
        return parse_config({**self.text.raw, "connection": login, "links": "{}"})


class Workspace:
    """What a command works with; `keep` writes each change before anything else happens."""

    def __init__(self, draft: Draft, surroundings: Surroundings) -> None:
        """Register every secret for masking, then parse."""
        self.file, self.text, self.surroundings = draft.file, draft.text, surroundings
        self.config, self.links = opened(draft.text.raw, surroundings)
        self._numbers = {login.key: number for number, login in enumerate(self.config.logins)}

    def login(self, key: str) -> Login:
        """Return the login of a key. Raises a config error for a key that is not configured."""
        if key not in self._numbers:
            raise invalid_configuration(f"The configuration has no login with the key {key}.")
        return self.config.logins[self._numbers[key]]

    def prove_writable(self) -> None:
        """Write the file as it is: a disk that refuses does so before anything is sent. Raises FileProblem."""
        self.file.write(self.text.text)

    def keep(self, passwords: Mapping[str, str]) -> None:
        """Write the links as they are now, and the passwords that a person typed, by key. Raises FileProblem."""
        text = self.text.with_links(self.links.dump())
        for key, password in passwords.items():
            text = text.with_password(self._numbers[key], password)
        self._write(text)

    def forget(self, login: Login) -> None:
        """Remove a login and its link from the file. Raises FileProblem."""
        self.links.drop(login)
        self._write(self.text.without_entry(self._numbers[login.key]).with_links(self.links.dump()))

    def _write(self, text: ConfigText) -> None:
        self.file.write(text.text)
        self.text = text
