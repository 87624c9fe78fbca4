"""The connector in a process forked from one that has imported it already: many short runs cost no imports.

The fork server of `testing.forking` has no other threads; the test's process is never forked.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from multiprocessing.connection import wait
from pathlib import Path
from posix import _exit as exit_at_once
from typing import Any, NoReturn

import source_linkless.process.launch  # noqa: F401 - imported here once, for every fork
from source_linkless.run import run
from testing.forking import FORKING

_ONE_AT_A_TIME = threading.Lock()  # a start asks all processes for their ends, and an end is told only once
_OUTPUT, _ERRORS, _ADDRESSES = "output", "errors", "addresses"
_SMALLEST_PIPE = 4096
LONGEST_SECONDS = 300


@dataclass(frozen=True)
class Ended:
    """How a run ended: its exit code (negative: the signal), what was read of its output, and its other output."""

    code: int
    output: bytes
    errors: str
    addresses: frozenset[str]
    """Where it opened connections to, and which names it looked up, as the interpreter was asked for."""

    @cached_property
    def messages(self) -> list[dict[str, Any]]:
        """Every message whose line is whole, as the platform takes them: what follows the last line feed is no line."""
        lines = self.output.split(b"\n")[:-1]
        return [json.loads(line) for line in lines]

    @property
    def ends_in_a_line(self) -> bool:
        """Whether the output stops in the middle of a line."""
        return not self.output.endswith(b"\n") and bool(self.output)


class ForkedRun:
    """One command of the connector with a consumer at the other end of its output; its files lie in `folder`."""

    def __init__(
        self,
        folder: Path,
        command: str,
        config: Mapping[str, Any] | None,
        catalog: Mapping[str, Any] | None = None,
        state: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Start it."""
        folder.mkdir()
        values = ({"config": config} if config else {}) | (
            {"catalog": catalog, "state": list(state)} if catalog else {}
        )
        for name, value in values.items():
            (folder / name).write_text(json.dumps(value), encoding="utf-8")
        self._start(folder, [command, *(argument for name in values for argument in (f"--{name}", name))])

    @classmethod
    def of(cls, folder: Path, *arguments: str) -> ForkedRun:
        """Start the connector with any arguments in a folder that has the files they name."""
        run = cls.__new__(cls)
        run._start(folder, list(arguments))  # noqa: SLF001 - a constructor
        return run

    def _start(self, folder: Path, arguments: list[str]) -> None:
        os.mkfifo(folder / _OUTPUT)
        self._folder, self._taken = folder, b""
        self._process = FORKING.Process(target=_run, args=(str(folder), arguments))
        with _ONE_AT_A_TIME:
            self._process.start()
        self._output = os.open(folder / _OUTPUT, os.O_RDONLY)

    def kill(self, number: signal.Signals) -> None:
        """Send a signal."""
        os.kill(self._process.pid or 0, number)

    def hang_up(self) -> None:
        """Close the reading end of the output."""
        os.close(self._output)
        self._output = -1

    def take(self, size: int) -> None:
        """Read so many bytes of the output; the process can be hardly further than that."""
        fcntl.fcntl(self._output, fcntl.F_SETPIPE_SZ, _SMALLEST_PIPE)
        while len(self._taken) < size and (piece := os.read(self._output, size - len(self._taken))):
            self._taken += piece

    def ended(self) -> Ended:
        """Read the rest of the output, if somebody still reads, and wait for the end."""
        while self._output >= 0 and (piece := os.read(self._output, 1 << 16)):
            self._taken += piece
        assert wait([self._process.sentinel], LONGEST_SECONDS), "the process hangs"
        with _ONE_AT_A_TIME:
            self._process.join()
        if self._output >= 0:
            self.hang_up()
        errors, addresses = ((self._folder / name).read_text(encoding="utf-8") for name in (_ERRORS, _ADDRESSES))
        return Ended(self._process.exitcode or 0, self._taken, errors, frozenset(addresses.splitlines()))


def _run(folder: str, arguments: list[str]) -> None:
    os.chdir(folder)
    _end_unmeasured_beside_others()
    _note_addresses()
    for name, descriptor in ((_OUTPUT, 1), (_ERRORS, 2)):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT, 0o600), descriptor)
    sys.argv[1:] = arguments
    run()


def _end_unmeasured_beside_others() -> None:
    """Let an end in a thread of its own save no coverage: saving while the other threads ran on has crashed a process.

    `coverage` has put its own `_exit` into `os`, not into `posix`.
    """
    measured = os._exit

    def end(status: int) -> NoReturn:
        is_main = threading.current_thread() is threading.main_thread()
        (measured if is_main else exit_at_once)(status)

    os._exit = end


def _note_addresses() -> None:
    """Let an audit hook note every address that a socket of this process is about to use."""
    notes = os.open(_ADDRESSES, os.O_WRONLY | os.O_CREAT, 0o600)

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("socket.connect", "socket.sendto"):
            os.write(notes, f"{arguments[1]}\n".encode())
        elif event == "socket.getaddrinfo":
            os.write(notes, f"{arguments[0]}\n".encode())

    sys.addaudithook(note)
