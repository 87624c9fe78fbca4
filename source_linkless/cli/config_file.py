"""A configuration file on the disk: read once, then replaced as a whole or not at all, for its owner's eyes only."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import suppress
from pathlib import Path

_ADVICE = {
    errno.EBUSY: "A single file mounted into a container cannot be replaced: mount its folder, or use --output.",
    errno.ENOSPC: "The disk is full: free some space, or use --output.",
    errno.EFBIG: "The file may not grow any more: use --output.",
}
_OTHER_ADVICE = "Make its folder writable, or use --output."


class FileProblem(Exception):  # noqa: N818 - a fact about the disk, told to a person
    """A file cannot be read or written; its text is a sentence for a person."""


class ConfigFile:
    """Where a configuration is read and where it is written."""

    def __init__(self, source: Path, target: Path | None = None) -> None:
        """Read from `source` and write to `target`, or back; nothing is touched yet."""
        self.source, self.target = source, target or source

    def read(self) -> str:
        """Return the text of the file. Raises FileProblem."""
        try:
            return self.source.read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            raise FileProblem(f"{self.source} is not written in UTF-8.") from None
        except OSError as error:
            raise FileProblem(f"Cannot read {self.source}: {error.strerror}.") from None

    def write(self, text: str) -> None:
        """Replace the file in one step by `text`, readable and writable by its owner only. Raises FileProblem.

        A reader sees the old file or the new one, and after a power cut it is one of them too.
        """
        target = Path(os.path.realpath(self.target))  # a link stays a link
        try:
            _replace(target, text.encode("utf-8"))
        except OSError as error:
            advice = _ADVICE.get(error.errno or 0, _OTHER_ADVICE)
            raise FileProblem(f"Cannot write {self.target}: {error.strerror}. {advice}") from None


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
    _sync_folder(target.parent)


def _keep_owner(name: str, target: Path) -> None:
    """Leave the file to its owner when root runs the command, as in a container."""
    with suppress(OSError):  # there is none yet, or only root may do that
        was = target.stat()
        os.chown(name, was.st_uid, was.st_gid)


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # not every file system can
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
