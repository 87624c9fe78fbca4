"""A configuration file that keeps what the connector writes back; what the user wrote is not touched."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from source_linkless.json_files import FileProblem, read_object

LINKS = "links"


class UnusableError(Exception):
    """Something that ends the command; the text is one sentence for the user."""


def read_configuration(path: Path) -> dict[str, Any]:
    """Read a configuration, or raise UnusableError: what is wrong with the file, never what is in it."""
    try:
        return read_object(path, "configuration")
    except FileProblem as problem:
        raise UnusableError(str(problem)) from None


def write_configuration(path: Path, configuration: dict[str, Any]) -> None:
    """Write a configuration for its owner's eyes only, whole or not at all."""
    target = path.resolve()
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")  # made with mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(configuration, file, indent=2, ensure_ascii=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def keep_links(path: Path, written_back: dict[str, Any]) -> None:
    """Put the links that were written back into the file as it is now: an edit made meanwhile stays."""
    write_configuration(path, read_configuration(path) | {LINKS: written_back[LINKS]})


def linked_keys(configuration: dict[str, Any]) -> set[str]:
    """Return the keys of the logins that the connector has linked and the utility has not refused."""
    connections = json.loads(configuration.get(LINKS) or "{}").get("connections", {})
    return {key for key, link in connections.items() if link.get("access_token") and not link.get("refused")}
