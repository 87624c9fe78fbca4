-- Returns accounts whose months do not add up to their bills, to the last digit.
with bills as (
    select
        usage.connection_key,
        usage.account_number,
        usage.service,
        usage.unit_normalized as unit,
        sum(usage.quantity_normalized) as quantity
    from {{ ref('linkless__usage') }} as usage
    inner join {{ ref('int_linkless__bills') }} as bills
        on usage.connection_key = bills.connection_key
        and usage.account_number = bills.account_number
        and usage.statement_key = bills.statement_key
    where usage.direction = 'consumption' and bills.counts_in_months
    group by usage.connection_key, usage.account_number, usage.service, usage.unit_normalized
),

months as (
    select connection_key, account_number, service, unit, sum(quantity) as quantity
    from {{ ref('linkless__monthly') }}
    where unit is not null
    group by connection_key, account_number, service, unit
)

select
    bills.connection_key,
    bills.account_number,
    bills.service,
    bills.unit,
    bills.quantity as quantity_of_bills,
    months.quantity as quantity_of_months
from bills
left join months
    on bills.connection_key = months.connection_key
    and bills.account_number = months.account_number
    and coalesce(bills.service, '') = coalesce(months.service, '')
    and bills.unit = months.unit
where months.quantity is null or months.quantity <> bills.quantity
