"""What the dbt package costs on DuckDB: `dbt build` of all models for 100 and for 1,000 accounts.

    .venv/bin/python -m benchmarks.answers [--short]

Every account has 36 bills of 10 lines. The tables are made inside DuckDB; only dbt is measured, as a process, without
its tests. The first build parses the package, the second one does not; the second is the figure.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from testing.bill_tables import DUCKDB, Tables
from testing.dbt_runs import Warehouse

BILLS, LINES = 36, 10

_FILL = """
insert into statements by name
select 'login-' || a // 10 as connection_key, a::varchar as account_number, m::varchar as statement_key,
       timestamp '2026-07-01' as observed_at, timestamp '2026-07-01' as snapshot_at,
       'statement_id' as statement_key_basis,
       date '2023-01-05' + interval (m) month as billing_period_start_date,
       date '2023-01-05' + interval (m + 1) month as billing_period_end_date,
       date_diff('day', date '2023-01-05' + interval (m) month, date '2023-01-05' + interval (m + 1) month)
           as billing_period_duration_days,
       date '2023-01-07' + interval (m + 1) month as billing_date, 100 as total_due_amount, 'USD' as currency_code,
       a || '/' || m as content_hash
from range({accounts}) as accounts(a), range({bills}) as months(m);
insert into charges by name
select s.connection_key, s.account_number, s.statement_key, s.observed_at, s.snapshot_at, s.billing_date,
       s.currency_code, l::varchar as charge_key,
       case l when 0 then 'Energy charge ' || q || ' kWh @ $0.10' when 1 then 'Delivery ' || q || ' kWh @ $0.03'
           when 2 then 'Energy tax ' || q || ' kWh @ $0.01' when 3 then 'Demand 12 kW @ $9.00'
           else 'Rider ' || l end as charge_name,
       case when l < 3 then q when l = 3 then 12 end as quantity,
       case when l < 3 then 'kWh' when l = 3 then 'kW' end as unit,
       case l when 0 then 0.1 when 1 then 0.03 when 2 then 0.01 when 3 then 9 end as unit_price,
       case l when 0 then q * 0.1 when 1 then q * 0.03 when 2 then q * 0.01 when 3 then 108 else 1.5 end as amount
from (select *, 500 + (account_number::int * 7 + statement_key::int * 13) % 900 as q from statements) as s,
     range({lines}) as lines(l);
insert into accounts by name
select connection_key, account_number, observed_at, snapshot_at, 'US' as source_country, count(*) as statement_count
from statements group by all;
insert into connections by name
select distinct connection_key, observed_at, 'ready' as status, 'nobody' as actor from statements;
"""


def measure(accounts: int) -> tuple[float, str]:
    """Return the seconds of a build, and the number of rows of the monthly model."""
    with tempfile.TemporaryDirectory(prefix="linkless-answers-") as folder:
        warehouse = Warehouse(Path(folder), {})
        warehouse.do(Tables().script(DUCKDB, "main") + _FILL.format(accounts=accounts, bills=BILLS, lines=LINES))
        build = ("build", "--exclude-resource-type", "test", "unit_test")
        warehouse.dbt(*build)
        started = time.monotonic()
        warehouse.dbt(*build)
        seconds = time.monotonic() - started
        ((rows,),) = warehouse.ask("select count(*) from linkless__monthly")
        return seconds, rows


def main() -> None:
    """Print one row for each size."""
    sizes = (10, 100) if "--short" in sys.argv else (100, 1000)
    print("| Accounts | Lines | Seconds | Months |\n| ---: | ---: | ---: | ---: |")
    for accounts in sizes:
        seconds, rows = measure(accounts)
        print(f"| {accounts:,} | {accounts * BILLS * LINES:,} | {seconds:.1f} | {int(rows):,} |")


if __name__ == "__main__":
    main()
