"""What is compared: the floor, ours and the peers, each as a command for a number of connections."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.connector import MAIN, STREAMS, catalog, last_states
from benchmarks.deliverer import token
from benchmarks.peers.flat import KEYS, schema

ROOT = Path(__file__).parent.parent
OURS_PYTHON = sys.executable
SINGER_PYTHON = str(ROOT / ".venv-singer" / "bin" / "python")
DLT_PYTHON = str(ROOT / ".venv-dlt" / "bin" / "python")


@dataclass(frozen=True, slots=True)
class Job:
    """One reader. In its command `{config}`, `{catalog}`, `{state}` and `{folder}` stand for files.

    `few` and `many` are the two numbers of connections whose costs are compared: as many as give seconds of CPU.
    """

    name: str
    command: tuple[str, ...]
    few: int
    many: int
    differs: str
    """What it does less or more than ours."""
    lacks: frozenset[str] = frozenset()
    """Columns that its rows do not have, though the floor's do."""
    streams: tuple[str, ...] = tuple(KEYS)
    """What it reads."""


def _peer(python: str, module: str, *arguments: str) -> tuple[str, ...]:
    return (python, "-m", f"benchmarks.peers.{module}", *arguments)


_READ = ("read", "--config", "{config}", "--catalog", "{catalog}")
_LESS = "less: see above"
_FETCHES = "less; fetches for each stream"

FLOOR = Job("floor", _peer(OURS_PYTHON, "plain", "{config}"), 10, 90, _LESS)
SAME = Job("floor, same rows", _peer(OURS_PYTHON, "same", "{config}"), 10, 50, "no comparison with an earlier sync")
OURS = Job("ours", (OURS_PYTHON, MAIN, *_READ), 10, 50, "")
ALL_STREAMS = Job(
    "ours, six streams", OURS.command, 10, 50, "more: sustainability and connections", streams=tuple(STREAMS)
)
ONE_STREAM = Job("ours, statements only", OURS.command, 10, 50, "less: one stream of four", streams=("statements",))
UNCHANGED = Job(
    "ours again", (OURS_PYTHON, MAIN, *_READ, "--state", "{state}"), 10, 50, "a second sync: no row is sent"
)
CLASSIC = Job("classic HttpStream", _peer(OURS_PYTHON, "classic", *_READ), 4, 24, _FETCHES)
MANIFEST = Job(
    "low-code manifest",
    _peer(OURS_PYTHON, "manifest", *_READ),
    1,
    5,
    _FETCHES,
    lacks=frozenset({"source_name", "source_country"}),
)
SINGER = Job(
    "singer-sdk",
    _peer(SINGER_PYTHON, "singer", "--config", "{config}"),
    2,
    10,
    _FETCHES,
)
DLT = Job(
    "dlt to jsonl",
    _peer(DLT_PYTHON, "dlt_files", "{config}", "{folder}"),
    2,
    12,
    "less; and more: writes files",
    lacks=frozenset({"corrections"}),  # empty in the documents; dlt would make a table of them
)
JOBS: Mapping[str, Job] = {
    job.name: job for job in (FLOOR, SAME, OURS, ALL_STREAMS, ONE_STREAM, UNCHANGED, CLASSIC, MANIFEST, SINGER, DLT)
}


_VERSIONS = """
import platform, sys
from importlib.metadata import version
print(sys.argv[1], version(sys.argv[1]), "under Python", platform.python_version())
"""


def versions() -> str:
    """Say which versions of the frameworks are installed."""
    peers = {"airbyte-cdk": OURS_PYTHON, "singer-sdk": SINGER_PYTHON, "dlt": DLT_PYTHON}
    said = [subprocess.check_output([python, "-c", _VERSIONS, name], text=True) for name, python in peers.items()]
    return f"{', '.join(map(str.strip, said))}."


class Workshop:
    """A folder with the files that the commands read."""

    def __init__(self, folder: Path, url: str) -> None:
        """Name the folder, and where the provider is."""
        self._folder, self._url = folder, url

    def command(self, job: Job, connections: int) -> Sequence[str]:
        """Return the command that reads so many connections; the files that it reads are written."""
        files = {
            "config": self._write(f"{job.name}-{connections}", self._config(job, connections)),
            "catalog": self._write(f"{job.name}-catalog", catalog(job.streams) if _is_ours(job) else _peers_catalog()),
            "state": str(self._folder / "state.json"),
            "folder": tempfile.mkdtemp(dir=self._folder),
        }
        return [part.format_map(files) if part.startswith("{") else part for part in job.command]

    def keep(self, output: Path) -> None:
        """Keep the state at the end of an output, for a second sync to start from."""
        (self._folder / "state.json").write_text(json.dumps(last_states(output)), encoding="utf-8")

    def _write(self, name: str, content: object) -> str:
        path = self._folder / f"{name.replace(' ', '-')}.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        return str(path)

    def _config(self, job: Job, connections: int) -> dict[str, object]:
        if _is_ours(job):
            return ours_config(self._url, connections)
        return {"url": self._url, "connections": [token(number) for number in range(connections)]}


def ours_config(url: str, connections: int) -> dict[str, object]:
    """Configure our connector with so many connections that are linked already."""
    entries = [{"key": f"login-{number}", "access_token": token(number)} for number in range(connections)]
    return {
        "environment": "sandbox",
        "client_id": "benchmark-client",
        "secret": "benchmark-secret",
        "connection": {"method": "fleet", "connections": json.dumps(entries)},
        "api_url": url,
        "max_requests_per_second": 10_000,
        "poll_interval_seconds": 0.05,
    }


def _is_ours(job: Job) -> bool:
    return MAIN in job.command


def _peers_catalog() -> dict[str, object]:
    return {
        "streams": [
            {
                "stream": {"name": name, "json_schema": schema(name), "supported_sync_modes": ["full_refresh"]},
                "sync_mode": "full_refresh",
                "destination_sync_mode": "append",
            }
            for name in KEYS
        ]
    }
