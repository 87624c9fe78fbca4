-- What each bill that counts costs per service. Lines that belong to no service, or to several, have none; so has a bill
-- without lines.
with bills as (
    select * from {{ ref('int_linkless__bills') }} where counts_in_months
),

lines as (
    select connection_key, account_number, statement_key, service, sum(amount) as cost
    from {{ ref('int_linkless__lines') }}
    where is_balance = 0 and amount is not null
    group by connection_key, account_number, statement_key, service
)

select
    bills.connection_key,
    bills.account_number,
    bills.statement_key,
    bills.period_start,
    bills.period_end,
    bills.days,
    bills.currency_code,
    lines.service,
    case
        when lines.connection_key is null or bills.cost is null then bills.cost
        else lines.cost
    end as cost
from bills
left join lines
    on bills.connection_key = lines.connection_key
    and bills.account_number = lines.account_number
    and bills.statement_key = lines.statement_key
