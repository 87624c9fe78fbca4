"""Where the connector's process connects to, as its interpreter sees it: the configured host, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from linkless_simulator import Simulator
from linkless_simulator.answers import Fault
from linkless_simulator.faults import Planned
from testing.connector import catalog_json, fleet_at
from testing.forked_connector import ForkedRun

ASKS_NOBODY = ("spec", "discover")


@pytest.mark.parametrize("command", [*ASKS_NOBODY, "check", "read"])
def test_no_connection_goes_anywhere_but_to_the_configured_host(tmp_path: Path, command: str) -> None:
    """Not for a name to look up, not after a redirect, not in an error; half of the commands send no request at all."""
    with Simulator() as other, Simulator() as simulator:
        away = Fault(None, 307, (("location", f"{other.url}/sustainability/get"),)).answer()
        for path in ("/sustainability/get", "/connection/context", "/link/connection/status"):
            simulator.backend.plan(Planned(path, away))
        names = ("instant+a", "user_good+b", "outage_twice+c", "wrong_password+d")
        config = fleet_at(simulator, *({"username": name} for name in names))
        given = {"spec": (None, None), "read": (config, catalog_json())}.get(command, (config, None))
        run = ForkedRun(tmp_path / "run", command, *given).ended()
        assert (run.code, other.backend.journal) == (0, [])
        url = urlsplit(simulator.url)
    host = {str(url.hostname), str((url.hostname, url.port))}
    assert run.addresses == (frozenset() if command in ASKS_NOBODY else host)
    assert not run.errors
