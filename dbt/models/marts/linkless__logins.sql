-- The health of every login: its newest row, since when its status has been the same, and how old its newest data is.
with history as (
    {{ linkless.source_rows('connections', [
        ['connection_key', 'text'], ['observed_at', 'time'], ['status', 'text']
    ]) }}
),

newest as (
    select * from {{ ref('stg_linkless__connections') }}
),

-- Tables that append keep every sync; in others only the newest is known.
last_others as (
    select history.connection_key, max(history.observed_at) as observed_at
    from history
    inner join newest on history.connection_key = newest.connection_key and history.status <> newest.status
    group by history.connection_key
),

since as (
    select history.connection_key, min(history.observed_at) as since
    from history
    left join last_others on history.connection_key = last_others.connection_key
    where last_others.observed_at is null or history.observed_at > last_others.observed_at
    group by history.connection_key
),

data as (
    select connection_key, max(observed_at) as newest_data_at, max(billing_date) as newest_billing_date
    from {{ ref('stg_linkless__statements') }}
    group by connection_key
)

select
    newest.connection_key,
    newest.source_name,
    newest.status,
    newest.reason,
    newest.actor,
    newest.message,
    since.since,
    newest.observed_at,
    data.newest_data_at,
    {{ linkless.days_between('data.newest_data_at', 'newest.observed_at') }} as days_without_new_data,
    coalesce(newest.latest_billing_date, data.newest_billing_date) as latest_billing_date
from newest
inner join since on newest.connection_key = since.connection_key
left join data on newest.connection_key = data.connection_key
