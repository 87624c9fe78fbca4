"""A daily sync as an Airflow DAG: put it, with one_sync.py beside it, into the folder of the DAGs.

LINKLESS_FOLDER is a folder that every worker sees and that stays (it keeps configuration and state, see one_sync.py);
LINKLESS_CONNECTOR is the connector's program, in an environment of its own.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

with DAG(
    dag_id="linkless",
    schedule="30 5 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,  # a sync reads what there is now: there is nothing to make up for
    max_active_runs=1,  # two syncs at once would submit the same login twice
) as dag:
    BashOperator(
        task_id="sync",
        bash_command='exec python3 "$RUNNER" "$FOLDER" --connector "$CONNECTOR"',
        env={
            "RUNNER": str(Path(__file__).with_name("one_sync.py")),
            "FOLDER": os.environ.get("LINKLESS_FOLDER", "/var/lib/linkless"),
            "CONNECTOR": os.environ.get("LINKLESS_CONNECTOR", "source-linkless"),
        },
        append_env=True,
        retries=1,  # a login that was refused is not submitted again by it
        retry_delay=timedelta(hours=1),
        execution_timeout=timedelta(hours=4),
    )
