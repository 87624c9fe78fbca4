"""The connector as the platform runs it: a process with its standard output in a pipe, watched from outside."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parent.parent
MAIN = str(_ROOT / "main.py")
STREAMS = tuple(
    sorted(
        path.stem
        for path in (_ROOT / "source_linkless" / "schemas").glob("*.json")
        if path.stem != "statement_files"  # opt-in: it costs requests of its own
    )
)
"""Every stream, read off the files: what is measured is never imported."""
_RECORD, _CONTROL, _LOG = b'{"type":"RECORD"', b'{"type":"CONTROL"', b'{"type":"LOG"'
_STATE = b'{"type":"STATE"'
_ROWS_OF_LOGINS = b'"stream":"connections"'
_HEAD = 120
_SAMPLE_SECONDS = 0.05
_FIELDS = {"VmHWM:": "peak_kilobytes", "Threads:": "threads"}


@dataclass(slots=True)
class Run:
    """One read: what it wrote and what it needed."""

    exit_code: int = -1
    records: int = 0
    last_document: float = 0.0
    """When the last record of a document left the pipe, by the machine's monotonic clock."""
    controls: int = 0
    log_lines: int = 0
    threads: int = 0
    peak_kilobytes: int = 0
    seconds: float = 0.0
    """From start to end of the process."""

    @property
    def peak_megabytes(self) -> float:
        """The most memory it held at once."""
        return round(self.peak_kilobytes / 1024, 1)


def read(config: Mapping[str, Any], streams: Iterable[str] | None = None) -> Run:
    """Run a whole read in a process of its own and consume its output as fast as it comes."""
    run, began = Run(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder, _started(Path(folder), config, streams) as process:
        watching = threading.Thread(target=_watch, args=(process, run), daemon=True)
        watching.start()
        for line in process.stdout or ():
            _count(line, run)
        run.exit_code = process.wait()
        watching.join()
    run.seconds = time.monotonic() - began
    return run


def _started(folder: Path, config: Mapping[str, Any], streams: Iterable[str] | None) -> subprocess.Popen[bytes]:
    configuration, selected = folder / "config.json", folder / "catalog.json"
    configuration.write_text(json.dumps(config), encoding="utf-8")
    selected.write_text(json.dumps(catalog(streams)), encoding="utf-8")
    command = [sys.executable, MAIN, "read", "--config", str(configuration), "--catalog", str(selected)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def catalog(streams: Iterable[str] | None = None) -> dict[str, Any]:
    """Return a configured catalog with these streams, or all."""
    return {"streams": [_selected(name) for name in streams or STREAMS]}


def last_states(output: Path) -> list[dict[str, Any]]:
    """Return the last state of every stream in an output, as the next sync gets them."""
    states = {}
    with output.open("rb") as lines:
        for line in lines:
            if line.startswith(_STATE):
                state = json.loads(line)["state"]
                states[state["stream"]["stream_descriptor"]["name"]] = state
    return list(states.values())


def _selected(name: str) -> dict[str, Any]:
    told = {"name": name, "json_schema": {}, "supported_sync_modes": ["full_refresh", "incremental"]}
    return {"stream": told, "sync_mode": "incremental", "destination_sync_mode": "append_dedup"}


def _count(line: bytes, run: Run) -> None:
    if line.startswith(_RECORD):
        run.records += 1
        if _ROWS_OF_LOGINS not in line[:_HEAD]:
            run.last_document = time.monotonic()
    run.controls += line.startswith(_CONTROL)
    run.log_lines += line.startswith(_LOG)


def status_of(process: int) -> Mapping[str, int]:
    """Return the numbers that the kernel tells of a process, by name with its colon; none once it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return {}
    return {name: int(values[0]) for name, *values in map(str.split, lines) if values and values[0].isdecimal()}


def _watch(process: subprocess.Popen[bytes], run: Run) -> None:
    """Look at the process until it ends; the kernel keeps the peak of its memory."""
    while process.poll() is None:
        told = status_of(process.pid)
        for name in _FIELDS.keys() & told.keys():
            setattr(run, _FIELDS[name], max(getattr(run, _FIELDS[name]), told[name]))
        time.sleep(_SAMPLE_SECONDS)
