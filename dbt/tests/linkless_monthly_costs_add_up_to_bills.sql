-- Returns accounts whose monthly costs do not add up to the cost of the bills that count, to the last digit.
with bills as (
    select connection_key, account_number, sum(cost) as cost
    from {{ ref('int_linkless__bills') }}
    where counts_in_months
    group by connection_key, account_number
),

months as (
    select connection_key, account_number, sum(cost) as cost
    from {{ ref('linkless__monthly') }}
    group by connection_key, account_number
)

select bills.connection_key, bills.account_number, bills.cost as cost_of_bills, months.cost as cost_of_months
from bills
left join months
    on bills.connection_key = months.connection_key
    and bills.account_number = months.account_number
where coalesce(bills.cost, 0) <> coalesce(months.cost, 0)
