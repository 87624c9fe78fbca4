{% snapshot linkless__statement_versions %}

{{ config(
    target_schema=target.schema,
    unique_key="version_key",
    strategy='check',
    check_cols=['content_hash'],
    updated_at='observed_at',
    hard_deletes='invalidate'
) }}

select
    bills.connection_key || '|' || bills.account_number || '|' || bills.statement_key as version_key,
    bills.connection_key,
    bills.account_number,
    bills.statement_key,
    bills.content_hash,
    bills.billing_date,
    bills.period_start,
    bills.period_end,
    bills.cost,
    bills.total_due_amount,
    bills.currency_code,
    bills.observed_at
from {{ ref('int_linkless__bills') }} as bills

{% endsnapshot %}
