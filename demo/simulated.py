"""The provider of the demo as a process, in the connector's environment."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from demo.configuration import LINKS, UnusableError, linked_keys

ROOT = Path(__file__).parent.parent
PYTHON = ROOT / ".venv" / "bin" / "python"


@contextmanager
def simulated(kept: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Run the provider and yield a configuration that leads to it, with the links of `kept`, an earlier one.

    Raises UnusableError when the provider does not start.
    """
    command = [str(PYTHON), "-m", "demo.provider", *sorted(linked_keys(kept))]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as provider:
        assert provider.stdin is not None  # noqa: S101 - for mypy: it is a pipe
        assert provider.stdout is not None  # noqa: S101 - as above
        try:
            line = provider.stdout.readline()
            if not line:
                raise UnusableError("The simulator did not start; its own words are above.")
            yield json.loads(line) | {name: kept[name] for name in (LINKS,) if name in kept}
        finally:
            provider.stdin.close()  # ends it
