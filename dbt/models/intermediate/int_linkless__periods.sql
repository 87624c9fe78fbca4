-- The period of every current bill as [period_start, period_end): period_end is the day after the last one.
--
-- Whether the printed end is the last day or the day after it: told by the bill's own billing_period_duration_days, else
-- by the other bills of the account (their durations, then whether bills follow on the same or on the next day), else by
-- the shape of the period (1st to last of a month; the same day of the month), else it is the day after.
with printed as (
    select
        connection_key,
        account_number,
        statement_key,
        least(billing_period_start_date, billing_period_end_date) as first_date,
        greatest(billing_period_start_date, billing_period_end_date) as second_date,
        billing_period_start_date,
        billing_period_end_date,
        case when billing_period_duration_days between 1 and 3660 then billing_period_duration_days end as duration
    from {{ ref('stg_linkless__statements') }}
),

spans as (
    select
        *,
        case
            when billing_period_start_date is not null and billing_period_end_date is not null
                then {{ linkless.days_between('first_date', 'second_date') }}
        end as span,
        case
            when billing_period_start_date is null or billing_period_end_date is null then null
            when duration = {{ linkless.days_between('first_date', 'second_date') }} then 0
            when duration = {{ linkless.days_between('first_date', 'second_date') }} + 1 then 1
        end as told
    from printed
),

-- Per account: +1 for each bill whose end is its last day, -1 for each whose end is the day after.
told_by_account as (
    select
        connection_key,
        account_number,
        sum(case when told = 1 then 1 when told = 0 then -1 else 0 end) as balance
    from spans
    group by connection_key, account_number
),

followed as (
    select distinct ends.connection_key, ends.account_number, ends.second_date, starts.first_date
    from spans as ends
    inner join spans as starts
        on ends.connection_key = starts.connection_key
        and ends.account_number = starts.account_number
        and ends.statement_key <> starts.statement_key
    where starts.first_date = ends.second_date
        or starts.first_date = {{ linkless.plus_days('ends.second_date', 1) }}
),

seen_by_account as (
    select
        connection_key,
        account_number,
        sum(case when first_date = second_date then -1 else 1 end) as balance
    from followed
    group by connection_key, account_number
),

shaped as (
    select
        spans.*,
        case
            when spans.span = 0 then 1
            when spans.told is not null then spans.told
            when told_by_account.balance > 0 then 1
            when told_by_account.balance < 0 then 0
            when seen_by_account.balance > 0 then 1
            when seen_by_account.balance < 0 then 0
            when extract(day from spans.first_date)
                = extract(day from {{ linkless.plus_days('spans.second_date', 1) }}) then 1
            else 0
        end as is_inclusive
    from spans
    left join told_by_account
        on spans.connection_key = told_by_account.connection_key
        and spans.account_number = told_by_account.account_number
    left join seen_by_account
        on spans.connection_key = seen_by_account.connection_key
        and spans.account_number = seen_by_account.account_number
),

periods as (
    select
        connection_key,
        account_number,
        statement_key,
        case
            when billing_period_start_date is not null and billing_period_end_date is not null then first_date
            when billing_period_start_date is not null and duration is not null then billing_period_start_date
            when billing_period_end_date is not null and duration is not null
                then {{ linkless.plus_days('billing_period_end_date', 'cast(is_inclusive - duration as int)') }}
        end as period_start,
        case
            when billing_period_start_date is not null and billing_period_end_date is not null
                then {{ linkless.plus_days('second_date', 'is_inclusive') }}
            when billing_period_start_date is not null and duration is not null
                then {{ linkless.plus_days('billing_period_start_date', 'cast(duration as int)') }}
            when billing_period_end_date is not null and duration is not null
                then {{ linkless.plus_days('billing_period_end_date', 'is_inclusive') }}
        end as period_end
    from shaped
)

-- A period of more than ten years is a misread date.
select
    connection_key,
    account_number,
    statement_key,
    case when {{ linkless.days_between('period_start', 'period_end') }} <= 3660 then period_start end as period_start,
    case when {{ linkless.days_between('period_start', 'period_end') }} <= 3660 then period_end end as period_end,
    case
        when {{ linkless.days_between('period_start', 'period_end') }} <= 3660
            then {{ linkless.days_between('period_start', 'period_end') }}
    end as days
from periods
