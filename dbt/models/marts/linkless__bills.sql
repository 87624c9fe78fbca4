select
    connection_key,
    account_number,
    statement_key,
    billing_date,
    period_start,
    period_end,
    days,
    cost,
    total_due_amount,
    currency_code,
    is_reversal,
    superseded_by
from {{ ref('int_linkless__bills') }}
