"""The command `linkless` in a process forked from one that has imported it already: many runs cost no imports.

With a terminal of its own, or with files for its input and outputs and no terminal at all, as in a scheduler. The
fork server of `testing.forking` has no other threads; the test's process is never forked.
"""

from __future__ import annotations

import faulthandler
import os
import re
import resource
import signal
import sys
import termios
from collections.abc import Sequence
from multiprocessing.context import ForkServerProcess
from multiprocessing.synchronize import Event
from pathlib import Path

import pexpect
import pytest
from pexpect import fdpexpect

import source_linkless.cli.commands  # noqa: F401 - imported here once, for every fork
from source_linkless.cli.command_line import main
from testing.forking import FORKING

_ROWS, _COLUMNS, _SECONDS = 40, 80, 300
_FILES = ("input", "output", "errors")
_PIECES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+")


def type_at(
    arguments: Sequence[str],
    talk: Sequence[tuple[str, str]],
    folder: Path,
    output: Path | None = None,
    largest_file: int = resource.RLIM_INFINITY,
) -> tuple[int, str]:
    """Run the command in `folder`, in a terminal of 80 columns, and type an answer to each question.

    `output` takes the standard output instead of the terminal; no file may grow beyond `largest_file` bytes.
    Returns the exit code and what stands on the screen.
    """
    keyboard, terminal = os.openpty()
    termios.tcsetwinsize(terminal, (_ROWS, _COLUMNS))
    is_open = FORKING.Event()
    process = FORKING.Process(
        target=_at_terminal, args=(list(arguments), folder, os.ttyname(terminal), output, largest_file, is_open)
    )
    process.start()
    assert is_open.wait(_SECONDS)
    os.close(terminal)
    child = fdpexpect.fdspawn(keyboard, encoding="utf-8", timeout=_SECONDS)
    shown = ""
    for question, answer in talk:
        child.expect(question)
        shown += f"{child.before}{child.after}"
        child.send("\x03" if answer == "^C" else f"{answer}\n")
    if child.expect([pexpect.EOF, pexpect.TIMEOUT]):
        os.kill(process.pid or 0, signal.SIGUSR1)  # says on the terminal where every thread is
        child.expect([pexpect.TIMEOUT, pexpect.EOF], timeout=2)
        pytest.fail(f"the command hangs: {shown}{child.before}")
    child.close()
    return _code(process), seen(shown + str(child.before))


def seen(text: str) -> str:
    """Return what stands on a screen of endless height after `text`, with what moves and deletes in it."""
    lines, row, column = [""], 0, 0
    for piece in _PIECES.findall(text):
        if piece == "\r":
            column = 0
        elif piece == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif piece.startswith("\x1b"):
            row -= int(piece[2:-1] or 1) if piece.endswith("A") else 0
            lines[row] = "" if piece == "\x1b[2K" else lines[row]
        else:
            line = lines[row].ljust(column)
            lines[row] = line[:column] + piece + line[column + len(piece) :]
            column += len(piece)
    return "\n".join(line.rstrip() for line in lines)


def run_without_terminal(arguments: Sequence[str], folder: Path, text: str) -> tuple[int, str, str]:
    """Run the command in `folder`, with files of it as its streams; return the exit code and both outputs."""
    (folder / _FILES[0]).write_text(text, encoding="utf-8")
    process = FORKING.Process(target=_with_files, args=(list(arguments), folder))
    process.start()
    code = _code(process)
    output, errors = ((folder / name).read_text(encoding="utf-8") for name in _FILES[1:])
    return code, output, errors


def _code(process: ForkServerProcess) -> int:
    process.join(_SECONDS)
    assert process.exitcode is not None, "the command hangs"
    return process.exitcode


def _at_terminal(
    arguments: list[str], folder: Path, terminal: str, output: Path | None, largest_file: int, is_open: Event
) -> None:
    os.setsid()
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, resource.RLIM_INFINITY))
    os.chdir(folder)
    descriptor = os.open(terminal, os.O_RDWR)  # the first one that a session opens controls it
    out = os.open(output, os.O_WRONLY | os.O_CREAT) if output else descriptor
    is_open.set()
    _main(arguments, descriptor, out, descriptor)


def _with_files(arguments: list[str], folder: Path) -> None:
    os.setsid()
    os.chdir(folder)
    given = os.open(folder / _FILES[0], os.O_RDONLY)
    output, errors = (os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for name in _FILES[1:])
    _main(arguments, given, output, errors)


def _main(arguments: list[str], *descriptors: int) -> None:
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    for descriptor in {*descriptors} - {0, 1, 2}:
        os.close(descriptor)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115 - descriptors, to the end
    signal.signal(signal.SIGINT, signal.default_int_handler)
    faulthandler.register(signal.SIGUSR1)
    main(args=arguments, prog_name="linkless")
