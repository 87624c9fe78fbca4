-- What is wrong with the periods of the bills. Bills that were taken back are left out: a period that was not billed
-- again is a gap. One shared day is normal, since many bills end on the day on which the next one starts.
with bills as (
    select * from {{ ref('int_linkless__series') }}
),

with_period as (
    select
        *,
        max(period_end) over (
            partition by connection_key, account_number, series
            order by period_start, period_end, statement_key
            rows between unbounded preceding and 1 preceding
        ) as covered_until
    from bills
    where period_start is not null
),

ranked_lengths as (
    select
        connection_key,
        account_number,
        series,
        days,
        row_number() over (partition by connection_key, account_number, series order by days) as place,
        count(*) over (partition by connection_key, account_number, series) as bills
    from with_period
),

usual_lengths as (
    select connection_key, account_number, series, days as usual_days
    from ranked_lengths
    where 2 * place in (bills, bills + 1)
),

gaps_seen as (
    select
        with_period.connection_key,
        with_period.account_number,
        with_period.series,
        with_period.statement_key,
        with_period.covered_until as start_date,
        with_period.period_start as end_date,
        {{ linkless.days_between('with_period.covered_until', 'with_period.period_start') }} as days,
        usual_lengths.usual_days
    from with_period
    inner join usual_lengths
        on with_period.connection_key = usual_lengths.connection_key
        and with_period.account_number = usual_lengths.account_number
        and with_period.series = usual_lengths.series
    where with_period.covered_until < with_period.period_start
),

-- A bill without a period that was issued in a gap, or within two months after it, is the one that seems to be missing.
gaps_explained as (
    select
        gaps_seen.connection_key,
        gaps_seen.account_number,
        gaps_seen.series,
        gaps_seen.start_date,
        count(*) as bills
    from gaps_seen
    inner join bills
        on gaps_seen.connection_key = bills.connection_key
        and gaps_seen.account_number = bills.account_number
        and gaps_seen.series = bills.series
        and bills.period_start is null
        and (
            bills.dated is null
            or bills.dated between gaps_seen.start_date and {{ linkless.plus_days('gaps_seen.end_date', 62) }}
        )
    group by gaps_seen.connection_key, gaps_seen.account_number, gaps_seen.series, gaps_seen.start_date
),

before_gaps as (
    select
        gaps_seen.connection_key,
        gaps_seen.account_number,
        gaps_seen.series,
        gaps_seen.start_date,
        max(with_period.statement_key) as statement_key
    from gaps_seen
    inner join with_period
        on gaps_seen.connection_key = with_period.connection_key
        and gaps_seen.account_number = with_period.account_number
        and gaps_seen.series = with_period.series
        and gaps_seen.start_date = with_period.period_end
    group by gaps_seen.connection_key, gaps_seen.account_number, gaps_seen.series, gaps_seen.start_date
),

gaps as (
    select
        gaps_seen.connection_key,
        gaps_seen.account_number,
        'gap' as kind,
        gaps_seen.start_date,
        gaps_seen.end_date,
        gaps_seen.days,
        before_gaps.statement_key || ', ' || gaps_seen.statement_key as statement_keys,
        case
            when gaps_seen.days = 1 then 'info'
            when 2 * gaps_seen.days < gaps_seen.usual_days then 'warn'
            else 'error'
        end as severity
    from gaps_seen
    inner join before_gaps
        on gaps_seen.connection_key = before_gaps.connection_key
        and gaps_seen.account_number = before_gaps.account_number
        and gaps_seen.series = before_gaps.series
        and gaps_seen.start_date = before_gaps.start_date
    left join gaps_explained
        on gaps_seen.connection_key = gaps_explained.connection_key
        and gaps_seen.account_number = gaps_explained.account_number
        and gaps_seen.series = gaps_explained.series
        and gaps_seen.start_date = gaps_explained.start_date
    where 2 * gaps_seen.days > 3 * gaps_seen.usual_days * coalesce(gaps_explained.bills, 0)
),

duplicates as (
    select
        connection_key,
        account_number,
        'duplicate' as kind,
        period_start as start_date,
        period_end as end_date,
        days,
        {{ dbt.listagg('statement_key', "', '", 'order by statement_key') }} as statement_keys,
        'warn' as severity
    from with_period
    where balance is not null
    group by connection_key, account_number, series, period_start, period_end, days, balance, size
    having count(*) > 1
),

overlapping as (
    select
        one.connection_key,
        one.account_number,
        'overlap' as kind,
        greatest(one.period_start, other.period_start) as start_date,
        least(one.period_end, other.period_end) as end_date,
        {{ linkless.days_between('greatest(one.period_start, other.period_start)', 'least(one.period_end, other.period_end)') }} as days,
        one.statement_key || ', ' || other.statement_key as statement_keys,
        -- A bill that was billed again counts no more.
        case when one.counts_in_months and other.counts_in_months then 'error' else 'info' end as severity
    from with_period as one
    inner join with_period as other
        on one.connection_key = other.connection_key
        and one.account_number = other.account_number
        and one.series = other.series
        and one.period_start < other.period_end
        and other.period_start < one.period_end
        and (
            one.period_start < other.period_start
            or (one.period_start = other.period_start and one.statement_key < other.statement_key)
        )
    where not (
        one.period_start = other.period_start
        and one.period_end = other.period_end
        and one.size = other.size
        and coalesce(one.balance = other.balance, false)
    )
),

no_periods as (
    select
        connection_key,
        account_number,
        'no_period' as kind,
        cast(null as date) as start_date,
        cast(null as date) as end_date,
        cast(null as {{ linkless.integer_type() }}) as days,
        statement_key as statement_keys,
        'warn' as severity
    from bills
    where period_start is null
),

-- Overdue: no bill for more than one and a half usual intervals, as of the newest sync of the login.
as_of as (
    select connection_key, cast(max(observed_at) as date) as as_of_date
    from (
        select connection_key, observed_at from {{ ref('stg_linkless__connections') }}
        union all
        select connection_key, observed_at from bills
    ) as seen
    group by connection_key
),

dates as (
    select
        connection_key,
        account_number,
        series,
        coalesce(billing_date, period_end) as bill_date,
        max(next_billing_date) as next_billing_date,
        max(statement_key) as statement_key
    from bills
    where coalesce(billing_date, period_end) is not null
    group by connection_key, account_number, series, coalesce(billing_date, period_end)
),

steps as (
    select
        *,
        {{ linkless.days_between(
            'lag(bill_date) over (partition by connection_key, account_number, series order by bill_date)', 'bill_date'
        ) }} as interval_days,
        row_number() over (partition by connection_key, account_number, series order by bill_date desc) as newest_place
    from dates
),

ranked_steps as (
    select
        connection_key,
        account_number,
        series,
        interval_days,
        row_number() over (partition by connection_key, account_number, series order by interval_days) as place,
        count(*) over (partition by connection_key, account_number, series) as steps
    from steps
    where interval_days is not null
),

expected as (
    select
        steps.connection_key,
        steps.account_number,
        steps.statement_key,
        steps.bill_date,
        ranked_steps.interval_days,
        as_of.as_of_date,
        case
            when steps.next_billing_date > steps.bill_date then steps.next_billing_date
            else {{ linkless.plus_days('steps.bill_date', 'cast(ranked_steps.interval_days as int)') }}
        end as expected_date
    from steps
    inner join ranked_steps
        on steps.connection_key = ranked_steps.connection_key
        and steps.account_number = ranked_steps.account_number
        and steps.series = ranked_steps.series
        and ranked_steps.steps >= 2
        and 2 * ranked_steps.place in (ranked_steps.steps, ranked_steps.steps + 1)
    inner join as_of on steps.connection_key = as_of.connection_key
    where steps.newest_place = 1
),

overdue as (
    select
        connection_key,
        account_number,
        'overdue' as kind,
        expected_date as start_date,
        as_of_date as end_date,
        {{ linkless.days_between('expected_date', 'as_of_date') }} as days,
        statement_key as statement_keys,
        case when {{ linkless.days_between('bill_date', 'as_of_date') }} > 3 * interval_days then 'error' else 'warn' end
            as severity
    from expected
    where 2 * {{ linkless.days_between('bill_date', 'as_of_date') }} > 3 * interval_days
        and as_of_date > expected_date
)

-- A bill of several series says everything once.
select * from gaps
union distinct
select * from duplicates
union distinct
select * from overlapping where days > 1
union distinct
select * from no_periods
union distinct
select * from overdue
