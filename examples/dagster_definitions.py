"""A daily sync as Dagster assets, one for each stream: `dagster dev -f dagster_definitions.py`, one_sync.py beside it.

LINKLESS_FOLDER is a folder that stays (it keeps configuration and state, see one_sync.py); LINKLESS_CONNECTOR is the
connector's program, in an environment of its own.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from dagster import (
    AssetSpec,
    Definitions,
    Failure,
    MaterializeResult,
    ScheduleDefinition,
    define_asset_job,
    multi_asset,
)

STREAMS = ("sustainability", "accounts", "statements", "charges", "payments", "connections")
RUNNER = Path(__file__).with_name("one_sync.py")


SPECS = [AssetSpec(f"linkless_{stream}", group_name="linkless") for stream in STREAMS]


@multi_asset(specs=SPECS)  # type: ignore[untyped-decorator]  # Dagster lives in another environment than mypy
def linkless_streams() -> Iterator[MaterializeResult]:
    """Sync once, and say how many records of each stream came."""
    folder = Path(os.environ["LINKLESS_FOLDER"])
    connector = os.environ.get("LINKLESS_CONNECTOR", "source-linkless")
    code = subprocess.run([sys.executable, str(RUNNER), str(folder), "--connector", connector], check=False).returncode
    if code:
        raise Failure(f"The sync ended with {code}; what it says is in its output. What arrived is kept.")
    newest = max((folder / "records").glob("*.jsonl"))
    with newest.open(encoding="utf-8") as lines:
        counts = Counter(json.loads(line)["stream"] for line in lines)
    for stream in STREAMS:
        yield MaterializeResult(asset_key=f"linkless_{stream}", metadata={"records": counts[stream]})


daily = define_asset_job("linkless_daily", selection="group:linkless")
defs = Definitions(assets=[linkless_streams], schedules=[ScheduleDefinition(job=daily, cron_schedule="30 5 * * *")])
