-- Which bills of an account follow one another. Services that ever stand on one bill form one series; an account whose
-- electricity and water are billed apart has two. A bill that tells no service belongs to every series of its account.
with bill_services as (
    select distinct connection_key, account_number, statement_key, service
    from {{ ref('int_linkless__lines') }}
    where is_measured = 1 and service is not null
),

neighbours as (
    select distinct one.connection_key, one.account_number, one.service, other.service as neighbour
    from bill_services as one
    inner join bill_services as other
        on one.connection_key = other.connection_key
        and one.account_number = other.account_number
        and one.statement_key = other.statement_key
),

-- Two rounds join services that share a bill, and those that share one with a third.
first_round as (
    select connection_key, account_number, service, min(neighbour) as series
    from neighbours
    group by connection_key, account_number, service
),

second_round as (
    select neighbours.connection_key, neighbours.account_number, neighbours.service, min(first_round.series) as series
    from neighbours
    inner join first_round
        on neighbours.connection_key = first_round.connection_key
        and neighbours.account_number = first_round.account_number
        and neighbours.neighbour = first_round.service
    group by neighbours.connection_key, neighbours.account_number, neighbours.service
),

own_series as (
    select distinct
        bill_services.connection_key, bill_services.account_number, bill_services.statement_key, second_round.series
    from bill_services
    inner join second_round
        on bill_services.connection_key = second_round.connection_key
        and bill_services.account_number = second_round.account_number
        and bill_services.service = second_round.service
),

account_series as (
    select distinct connection_key, account_number, series from own_series
)

select
    bills.connection_key,
    bills.account_number,
    bills.statement_key,
    coalesce(own_series.series, account_series.series, '') as series,
    bills.billing_date,
    bills.next_billing_date,
    bills.dated,
    bills.observed_at,
    bills.period_start,
    bills.period_end,
    bills.days,
    coalesce(bills.cost, bills.total_due_amount) as balance,
    bills.size,
    bills.counts_in_months
from {{ ref('int_linkless__bills') }} as bills
left join own_series
    on bills.connection_key = own_series.connection_key
    and bills.account_number = own_series.account_number
    and bills.statement_key = own_series.statement_key
left join account_series
    on bills.connection_key = account_series.connection_key
    and bills.account_number = account_series.account_number
    and own_series.series is null
where not bills.is_reversal and bills.reversal_key is null
