"""The connector in a process forked from one that has imported it already: many short runs cost no imports.

The forking happens in the fork server of `multiprocessing`, which has no other threads, never in the test's process.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
from collections.abc import Mapping
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from source_linkless.launch import launch

_FORKING = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload([__name__])
_ONE_AT_A_TIME = threading.Lock()  # a start asks all processes for their ends, and an end is told only once
_OUTPUT = "output"


class ForkedRead:
    """One read of every stream; its files lie in `folder`."""

    def __init__(self, folder: Path, config: Mapping[str, Any], catalog: Mapping[str, Any]) -> None:
        """Start it."""
        folder.mkdir()
        for name, value in (("config", config), ("catalog", catalog)):
            (folder / name).write_text(json.dumps(value), encoding="utf-8")
        self._folder = folder
        self._process = _FORKING.Process(target=_read, args=(str(folder),))
        with _ONE_AT_A_TIME:
            self._process.start()
        self.pid = self._process.pid or 0

    def ended(self) -> tuple[int, list[dict[str, Any]]]:
        """Wait for the end; return the exit code (negative: the signal) and every whole message."""
        wait([self._process.sentinel])
        with _ONE_AT_A_TIME:
            self._process.join()
        lines = (self._folder / _OUTPUT).read_text(encoding="utf-8").split("\n")
        return self._process.exitcode or 0, [json.loads(line) for line in lines[:-1]]


def _read(folder: str) -> None:
    os.chdir(folder)
    os.dup2(os.open(_OUTPUT, os.O_WRONLY | os.O_CREAT, 0o600), 1)
    launch(["read", "--config", "config", "--catalog", "catalog"])
