"""What is compared: the floor, ours and the peers, each as a command for a number of connections."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.connector import MAIN, STREAMS, catalog, last_states
from benchmarks.deliverer import token
from benchmarks.documents import BILLS, CHARGES
from benchmarks.peers import rows

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
    streams: tuple[str, ...] = rows.STREAMS
    """What it reads."""
    kind: str = rows.PLAIN
    """The kind of its rows."""
    odd: str = ""
    """What is odd about the documents that it reads."""

    @property
    def writes_files(self) -> bool:
        """Whether its rows are in files, not in its output."""
        return "{folder}" in self.command


def _peer(python: str, module: str, *arguments: str) -> tuple[str, ...]:
    return (python, "-m", f"benchmarks.peers.{module}", *arguments)


_READ = ("read", "--config", "{config}", "--catalog", "{catalog}")
_PLAIN = "plain rows"
_FETCHES = "fetches for each stream"
_WRITES_FILES = "more: writes files"

FLOOR = Job("floor", _peer(OURS_PYTHON, "plain", "{config}"), 10, 90, _PLAIN)
SAME = Job("floor, same rows", _peer(OURS_PYTHON, "same", "{config}"), 10, 90, "", kind=rows.SAME)
OURS = Job("ours", (OURS_PYTHON, MAIN, *_READ), 10, 90, "", kind=rows.SAME)
ALL_STREAMS = replace(
    OURS, name="ours, six streams", differs="more: sustainability and connections", streams=tuple(STREAMS)
)
ONE_STREAM = replace(OURS, name="ours, statements only", differs="less: one stream of four", streams=("statements",))
ODD_BILLS = replace(
    OURS, name="ours, odd bills", differs="a field more in each bill", odd=BILLS, lacks=frozenset({"content_hash"})
)
ODD_CHARGES = replace(
    OURS,
    name="ours, odd charges",
    differs="a field more in each charge",
    odd=CHARGES,
    lacks=frozenset({"content_hash", "charge_key"}),
)
UNCHANGED = replace(
    OURS, name="ours again", command=(*OURS.command, "--state", "{state}"), differs="a second sync: no row is sent"
)
CLASSIC = Job("classic HttpStream", _peer(OURS_PYTHON, "classic", *_READ), 4, 24, f"{_PLAIN}; {_FETCHES}")
MANIFEST = Job(
    "low-code manifest",
    _peer(OURS_PYTHON, "manifest", *_READ),
    1,
    5,
    f"{_PLAIN}; {_FETCHES}",
    lacks=frozenset({"source_name", "source_country"}),
)
SINGER = Job(
    "singer-sdk",
    _peer(SINGER_PYTHON, "singer", "--config", "{config}"),
    2,
    10,
    f"{_PLAIN}; {_FETCHES}",
)
DLT = Job(
    "dlt to jsonl",
    _peer(DLT_PYTHON, "dlt_files", "{config}", "{folder}"),
    2,
    12,
    f"{_PLAIN}; {_WRITES_FILES}",
    lacks=frozenset({"corrections"}),  # empty in the documents; dlt would make a table of them
)


def _with_same_rows(peer: Job, differs: str, few: int, many: int, lacks: frozenset[str] = frozenset()) -> Job:
    name = f"{peer.name}, same rows"
    return replace(peer, name=name, differs=differs, few=few, many=many, lacks=lacks, kind=rows.SAME)


SAME_ROWS: Mapping[Job, Job] = {
    CLASSIC: _with_same_rows(CLASSIC, _FETCHES, 2, 16),
    MANIFEST: _with_same_rows(MANIFEST, f"custom extractors; {_FETCHES}", 2, 16),
    SINGER: _with_same_rows(SINGER, _FETCHES, 2, 10),
    DLT: _with_same_rows(DLT, _WRITES_FILES, 2, 12, DLT.lacks),
}
"""Each peer, and the same one where it makes every column of ours."""
JOBS: Mapping[str, Job] = {
    job.name: job
    for job in (
        *(FLOOR, SAME, OURS, ALL_STREAMS, ONE_STREAM, ODD_BILLS, ODD_CHARGES, UNCHANGED),
        *(job for peer_and_twin in SAME_ROWS.items() for job in peer_and_twin),
    )
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
            "catalog": self._write(
                f"{job.name}-catalog", catalog(job.streams) if _is_ours(job) else _peers_catalog(job.kind)
            ),
            "state": str(self._folder / "state.json"),
            "folder": tempfile.mkdtemp(dir=self.files_of(job)),
        }
        return [part.format_map(files) if part.startswith("{") else part for part in job.command]

    def keep(self, output: Path) -> None:
        """Keep the state at the end of an output, for a second sync to start from."""
        (self._folder / "state.json").write_text(json.dumps(last_states(output)), encoding="utf-8")

    def files_of(self, job: Job) -> Path:
        """Return the folder below which a job writes files, if it does."""
        folder = self._folder / "files" / job.name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _write(self, name: str, content: object) -> str:
        path = self._folder / f"{name.replace(' ', '-')}.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        return str(path)

    def _config(self, job: Job, connections: int) -> dict[str, object]:
        if _is_ours(job):
            return ours_config(self._url, connections, job.odd)
        tokens = [token(number) for number in range(connections)]
        return {"url": self._url, "connections": tokens, "rows": job.kind}


def ours_config(url: str, connections: int, odd: str = "") -> dict[str, object]:
    """Configure our connector with so many connections that are linked already, all `odd` in one way or in none."""
    entries = [{"key": f"login-{number}", "access_token": token(number, odd)} for number in range(connections)]
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


def _peers_catalog(kind: str) -> dict[str, object]:
    made = rows.rows_of_kind(kind)
    return {
        "streams": [
            {
                "stream": {"name": name, "json_schema": made.schema(name), "supported_sync_modes": ["full_refresh"]},
                "sync_mode": "full_refresh",
                "destination_sync_mode": "append",
            }
            for name in rows.STREAMS
        ]
    }
