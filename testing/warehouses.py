"""PyAirbyte as a process of its own environment, for tests that fill a warehouse and query it.

    with PyAirbyte(folder) as pyairbyte:
        config = pyairbyte.sync(cache, config)
        rows = pyairbyte.ask(cache, "select * from connections")

A cache is a `kind` (see `warehouse_process`) and the options of PyAirbyte's class for it.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import Timer
from types import TracebackType
from typing import Any, Self

from testing.connector import PROGRAM
from testing.generated_parts import ROOT

PYTHON = ROOT / ".venv-demo" / "bin" / "python"
SCRIPT = Path(__file__).with_name("warehouse_process.py")
LONGEST_SECONDS = 900
"""After these seconds the process is ended, so that no test hangs."""

Cache = Mapping[str, Any]


class PyAirbyte:
    """The running process; a context manager."""

    def __init__(self, folder: Path) -> None:
        """Start the process; its files, with configurations among them, lie in `folder`."""
        assert PYTHON.exists(), "PyAirbyte's environment is missing: run scripts/test, or scripts/setup demo."
        self._log = folder / "pyairbyte.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(PYTHON), "-P", "-W", "ignore", str(SCRIPT)],
                cwd=folder,
                env=os.environ | _environment(folder),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._timer = Timer(LONGEST_SECONDS, self._process.kill)
        self._timer.start()

    def sync(self, cache: Cache, config: Mapping[str, Any], streams: Iterable[str] | None = None) -> dict[str, Any]:
        """Read all streams, or those given, incrementally; return the configuration as it was written back last."""
        chosen = {} if streams is None else {"streams": list(streams)}
        config_now: dict[str, Any] = self._answer(cache, sync=config, connector=str(PROGRAM), **chosen)["config"]
        return config_now

    def ask(self, cache: Cache, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query. Numbers that are no integers, dates and times are texts, with all digits."""
        return [tuple(row) for row in self._answer(cache, ask=query)["rows"]]

    def do(self, cache: Cache, statements: str) -> None:
        """Run statements."""
        self._answer(cache, do=statements)

    def _answer(self, cache: Cache, **request: Any) -> dict[str, Any]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps({"cache": cache, **request}) + "\n")
        stdin.flush()
        line = stdout.readline()
        assert line, f"PyAirbyte ended:\n{self._log.read_text(encoding='utf-8')[-5000:]}"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        """Return the running process."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        self._process.communicate()  # its input ends, so it does
        self._timer.cancel()


def _environment(folder: Path) -> dict[str, str]:
    return {
        "PYTHONPATH": str(ROOT),
        "AIRBYTE_PROJECT_DIR": str(folder),
        "AIRBYTE_LOGGING_ROOT": str(folder / "logs"),
        "AIRBYTE_TEMP_DIR": str(folder),
        "AIRBYTE_OFFLINE_MODE": "1",
        "DO_NOT_TRACK": "1",
        "NO_LIVE_PROGRESS": "1",
    }
