-- Usage and cost per account, service and calendar month. A bill is spread evenly over its days; the shares of a bill add
-- up to it exactly. What belongs to a bill without a period stands in a row without a month.
with usage_of_bills as (
    select
        usage.connection_key,
        usage.account_number,
        usage.statement_key,
        coalesce(usage.service, '') as service_key,
        usage.unit_normalized as unit,
        cast(null as {{ linkless.string_type() }}) as currency_code,
        bills.period_start,
        bills.period_end,
        bills.days,
        sum(usage.quantity_normalized) as quantity,
        cast(null as {{ linkless.decimal_type() }}) as cost
    from {{ ref('linkless__usage') }} as usage
    inner join {{ ref('int_linkless__bills') }} as bills
        on usage.connection_key = bills.connection_key
        and usage.account_number = bills.account_number
        and usage.statement_key = bills.statement_key
    where usage.direction = 'consumption' and bills.counts_in_months
    group by
        usage.connection_key, usage.account_number, usage.statement_key, usage.service, usage.unit_normalized,
        bills.period_start, bills.period_end, bills.days
),

costs_of_bills as (
    select
        connection_key,
        account_number,
        statement_key,
        coalesce(service, '') as service_key,
        cast(null as {{ linkless.string_type() }}) as unit,
        currency_code,
        period_start,
        period_end,
        days,
        cast(null as {{ linkless.decimal_type() }}) as quantity,
        cost
    from {{ ref('int_linkless__costs') }}
),

of_bills as (
    select * from usage_of_bills
    union all
    select * from costs_of_bills
),

numbers as (
    {{ linkless.numbers() }}
),

months as (
    select
        of_bills.*,
        {{ dbt.dateadd('month', 'cast(numbers.n as int)', "cast(" ~ dbt.date_trunc('month', 'of_bills.period_start') ~ " as date)") }} as month_time
    from of_bills
    inner join numbers
        on numbers.n <= {{ dbt.datediff('of_bills.period_start', linkless.plus_days('of_bills.period_end', -1), 'month') }}
    where of_bills.period_start is not null
),

bounds as (
    select
        *,
        cast(month_time as date) as month_start,
        cast({{ dbt.dateadd('month', 1, 'month_time') }} as date) as month_end
    from months
),

segments as (
    select
        *,
        greatest(period_start, month_start) as segment_start,
        least(period_end, month_end) as segment_end
    from bounds
),

shares as (
    select
        *,
        {{ linkless.days_between('period_start', 'segment_start') }} as days_before,
        {{ linkless.days_between('period_start', 'segment_end') }} as days_until
    from segments
),

spread as (
    select
        connection_key,
        account_number,
        service_key,
        month_start,
        unit,
        currency_code,
        segment_start,
        segment_end,
        {{ linkless.share_until('quantity', 'days_until', 'days') }}
            - {{ linkless.share_until('quantity', 'days_before', 'days') }} as quantity,
        {{ linkless.share_until('cost', 'days_until', 'days') }}
            - {{ linkless.share_until('cost', 'days_before', 'days') }} as cost
    from shares
    union all
    select
        connection_key,
        account_number,
        service_key,
        cast(null as date) as month_start,
        unit,
        currency_code,
        cast(null as date) as segment_start,
        cast(null as date) as segment_end,
        quantity,
        cost
    from of_bills
    where period_start is null
),

-- Days that any bill covers, each counted once.
reached as (
    select
        *,
        max(segment_end) over (
            partition by connection_key, account_number, service_key, month_start
            order by segment_start, segment_end
            rows between unbounded preceding and 1 preceding
        ) as covered_until
    from (
        select distinct connection_key, account_number, service_key, month_start, segment_start, segment_end
        from spread
        where month_start is not null
    ) as different
),

covered as (
    select
        connection_key,
        account_number,
        service_key,
        month_start,
        sum(
            case
                when covered_until is null or covered_until <= segment_start
                    then {{ linkless.days_between('segment_start', 'segment_end') }}
                when covered_until < segment_end
                    then {{ linkless.days_between('covered_until', 'segment_end') }}
                else 0
            end
        ) as days_covered
    from reached
    group by connection_key, account_number, service_key, month_start
),

-- One row per unit and per currency; nearly always there is one of each, and they share a row.
quantities as (
    select
        connection_key,
        account_number,
        service_key,
        coalesce(month_start, cast('1900-01-01' as date)) as month_key,
        unit,
        sum(quantity) as quantity,
        row_number() over (
            partition by
                connection_key, account_number, service_key, coalesce(month_start, cast('1900-01-01' as date))
            order by sum(quantity) desc, unit
        ) as place
    from spread
    where unit is not null
    group by connection_key, account_number, service_key, coalesce(month_start, cast('1900-01-01' as date)), unit
),

costs as (
    select
        connection_key,
        account_number,
        service_key,
        coalesce(month_start, cast('1900-01-01' as date)) as month_key,
        currency_code,
        sum(cost) as cost,
        row_number() over (
            partition by
                connection_key, account_number, service_key, coalesce(month_start, cast('1900-01-01' as date))
            order by sum(cost) desc, currency_code
        ) as place
    from spread
    where unit is null
    group by
        connection_key, account_number, service_key, coalesce(month_start, cast('1900-01-01' as date)), currency_code
),

places as (
    select connection_key, account_number, service_key, month_key, place from quantities
    union distinct
    select connection_key, account_number, service_key, month_key, place from costs
),

filled as (
    select
        places.connection_key,
        places.account_number,
        nullif(places.service_key, '') as service,
        nullif(places.month_key, cast('1900-01-01' as date)) as month_date,
        quantities.quantity,
        quantities.unit,
        costs.cost,
        costs.currency_code,
        covered.days_covered
    from places
    left join quantities
        on places.connection_key = quantities.connection_key
        and places.account_number = quantities.account_number
        and places.service_key = quantities.service_key
        and places.month_key = quantities.month_key
        and places.place = quantities.place
    left join costs
        on places.connection_key = costs.connection_key
        and places.account_number = costs.account_number
        and places.service_key = costs.service_key
        and places.month_key = costs.month_key
        and places.place = costs.place
    left join covered
        on places.connection_key = covered.connection_key
        and places.account_number = covered.account_number
        and places.service_key = covered.service_key
        and places.month_key = covered.month_start
),

measured as (
    select
        *,
        {{ linkless.days_between('month_date', dbt.dateadd('month', 1, 'month_date')) }} as days_in_month
    from filled
)

select
    connection_key,
    account_number,
    service,
    month_date as month,
    cast(quantity as {{ linkless.decimal_type() }}) as quantity,
    unit,
    cast(cost as {{ linkless.decimal_type() }}) as cost,
    currency_code,
    cast(days_covered as {{ linkless.integer_type() }}) as days_covered,
    days_in_month,
    cast(round(cast(days_covered as {{ linkless.decimal_type() }}) / days_in_month, 6) as {{ linkless.decimal_type() }})
        as share_covered
from measured
