-- One row per current bill: its period, its cost, and how it relates to the other bills of its account.
--
--   reversal    a bill that takes back another: negative, for the same period, and either of exactly the opposite amount,
--               or with words that say so, or with nothing but negative quantities
--   superseded  a bill that was reversed or billed again: the newest bill for its period takes its place
with lines as (
    select
        connection_key,
        account_number,
        statement_key,
        count(case when is_balance = 0 then amount end) as amounts,
        sum(case when is_balance = 0 then amount end) as total,
        count(distinct currency_code) as currencies,
        max(is_reversal) as says_reversal,
        sum(case when is_export = 0 and is_credit = 0 then is_measured else 0 end) as measured_lines,
        sum(case when is_export = 0 and is_credit = 0 and direction_sign < 0 then is_measured else 0 end)
            as negative_lines,
        sum(case when is_measured = 1 then size end) as size,
        max(meter) as meter
    from {{ ref('int_linkless__lines') }}
    group by connection_key, account_number, statement_key
),

services as (
    select
        connection_key,
        account_number,
        statement_key,
        {{ dbt.listagg('service', "','", 'order by service') }} as services
    from (
        select distinct connection_key, account_number, statement_key, coalesce(service, '?') as service
        from {{ ref('int_linkless__lines') }}
        where is_measured = 1
    ) as measured
    group by connection_key, account_number, statement_key
),

payments as (
    select connection_key, account_number, statement_key, sum(abs(amount)) as paid
    from {{ ref('stg_linkless__payments') }}
    group by connection_key, account_number, statement_key
),

costs as (
    select
        statements.connection_key,
        statements.account_number,
        statements.statement_key,
        statements.billing_date,
        statements.next_billing_date,
        coalesce(statements.billing_date, statements.payment_due_date, statements.auto_pay_date) as dated,
        statements.observed_at,
        statements.content_hash,
        statements.total_due_amount,
        statements.currency_code,
        periods.period_start,
        periods.period_end,
        periods.days,
        case
            when lines.amounts > 0 then case when lines.currencies <= 1 then lines.total end
            when statements.balance_forward is not null
                then statements.total_due_amount - statements.balance_forward
            else
                statements.total_due_amount
                - (statements.previous_total_due_amount - coalesce(payments.paid, 0))
        end as cost,
        coalesce(services.services, '') as services,
        coalesce(lines.meter, '') as meter,
        coalesce(lines.says_reversal, 0) as says_reversal,
        coalesce(lines.measured_lines, 0) as measured_lines,
        coalesce(lines.negative_lines, 0) as negative_lines,
        coalesce(lines.size, 0) as size
    from {{ ref('stg_linkless__statements') }} as statements
    inner join {{ ref('int_linkless__periods') }} as periods
        on statements.connection_key = periods.connection_key
        and statements.account_number = periods.account_number
        and statements.statement_key = periods.statement_key
    left join lines
        on statements.connection_key = lines.connection_key
        and statements.account_number = lines.account_number
        and statements.statement_key = lines.statement_key
    left join services
        on statements.connection_key = services.connection_key
        and statements.account_number = services.account_number
        and statements.statement_key = services.statement_key
    left join payments
        on statements.connection_key = payments.connection_key
        and statements.account_number = payments.account_number
        and statements.statement_key = payments.statement_key
),

bills as (
    select
        *,
        coalesce(cost, total_due_amount) as balance,
        coalesce(billing_date, cast('1900-01-01' as date)) as sort_date
    from costs
),

-- Which bill a negative bill takes back: the newest that fits, one of exactly the opposite amount before any other.
taken_back as (
    select
        negative.connection_key,
        negative.account_number,
        negative.statement_key as reversal_key,
        positive.statement_key as reversed_key,
        case when abs(negative.balance + positive.balance) <= 0.005 then 1 else 0 end as is_exact,
        negative.measured_lines as reversal_measured_lines,
        negative.sort_date as reversal_date,
        row_number() over (
            partition by negative.connection_key, negative.account_number, negative.statement_key
            order by
                case when abs(negative.balance + positive.balance) <= 0.005 then 0 else 1 end,
                positive.sort_date desc,
                positive.statement_key
        ) as choice,
        row_number() over (
            partition by negative.connection_key, negative.account_number, positive.statement_key
            order by
                case when abs(negative.balance + positive.balance) <= 0.005 then 0 else 1 end,
                negative.sort_date,
                negative.statement_key
        ) as claim
    from bills as negative
    inner join bills as positive
        on negative.connection_key = positive.connection_key
        and negative.account_number = positive.account_number
        and negative.statement_key <> positive.statement_key
    where negative.balance < 0
        and positive.balance > 0
        and (negative.billing_date is null or positive.billing_date is null
            or negative.billing_date >= positive.billing_date)
        and (negative.services = positive.services or negative.services = '' or positive.services = '')
        and (
            (negative.period_start = positive.period_start and negative.period_end = positive.period_end)
            or (negative.period_start is null and abs(negative.balance + positive.balance) <= 0.005)
        )
        and (
            abs(negative.balance + positive.balance) <= 0.005
            or negative.says_reversal = 1
            or (negative.measured_lines > 0 and negative.measured_lines = negative.negative_lines)
        )
),

reversals as (
    select * from taken_back where choice = 1 and claim = 1
),

marked as (
    select
        bills.*,
        case
            when takes.reversal_key is not null then true
            when bills.balance < 0 and bills.says_reversal = 1 then true
            when bills.balance < 0 and bills.measured_lines > 0 and bills.measured_lines = bills.negative_lines then true
            else false
        end as is_reversal,
        takes.reversed_key,
        taken.reversal_key,
        taken.reversal_date,
        taken.reversal_measured_lines,
        coalesce(takes.is_exact, taken.is_exact, 0) as is_exact_pair
    from bills
    left join reversals as takes
        on bills.connection_key = takes.connection_key
        and bills.account_number = takes.account_number
        and bills.statement_key = takes.reversal_key
    left join reversals as taken
        on bills.connection_key = taken.connection_key
        and bills.account_number = taken.account_number
        and bills.statement_key = taken.reversed_key
),

-- An account that has several bills for most of its periods has them side by side (one per meter): none is billed again.
periods_of_accounts as (
    select connection_key, account_number, services, period_start, period_end, count(*) as bills
    from marked
    where not is_reversal and reversal_key is null and period_start is not null
    group by connection_key, account_number, services, period_start, period_end
),

habits as (
    select
        connection_key,
        account_number,
        services,
        case when count(*) >= 3 and 2 * sum(case when bills > 1 then 1 else 0 end) > count(*) then 1 else 0 end
            as is_parallel
    from periods_of_accounts
    group by connection_key, account_number, services
),

replaced as (
    select
        old_bill.connection_key,
        old_bill.account_number,
        old_bill.statement_key,
        new_bill.statement_key as replaced_by,
        row_number() over (
            partition by old_bill.connection_key, old_bill.account_number, old_bill.statement_key
            order by new_bill.sort_date desc, new_bill.statement_key desc
        ) as choice
    from marked as old_bill
    inner join marked as new_bill
        on old_bill.connection_key = new_bill.connection_key
        and old_bill.account_number = new_bill.account_number
        and old_bill.statement_key <> new_bill.statement_key
        and old_bill.period_start < new_bill.period_end
        and new_bill.period_start < old_bill.period_end
    left join habits
        on old_bill.connection_key = habits.connection_key
        and old_bill.account_number = habits.account_number
        and old_bill.services = habits.services
    where not old_bill.is_reversal
        and not new_bill.is_reversal
        and new_bill.reversal_key is null
        and coalesce(new_bill.balance, 0) >= 0
        and (old_bill.services = new_bill.services or old_bill.services = '')
        and (old_bill.meter = new_bill.meter or old_bill.meter = '' or new_bill.meter = '')
        and (
            (
                old_bill.reversal_key is not null
                and new_bill.sort_date >= old_bill.reversal_date
                and 2 * {{ linkless.days_between('greatest(old_bill.period_start, new_bill.period_start)', 'least(old_bill.period_end, new_bill.period_end)') }}
                    > old_bill.days
            )
            or (
                old_bill.reversal_key is null
                and coalesce(habits.is_parallel, 0) = 0
                and old_bill.period_start = new_bill.period_start
                and old_bill.period_end = new_bill.period_end
                and (
                    old_bill.billing_date < new_bill.billing_date
                    or (
                        old_bill.sort_date = new_bill.sort_date
                        and old_bill.statement_key < new_bill.statement_key
                        and old_bill.balance = new_bill.balance
                        and old_bill.size = new_bill.size
                    )
                )
            )
        )
),

replacements as (
    select * from replaced where choice = 1
)

select
    marked.connection_key,
    marked.account_number,
    marked.statement_key,
    marked.billing_date,
    marked.next_billing_date,
    marked.dated,
    marked.observed_at,
    marked.content_hash,
    marked.period_start,
    marked.period_end,
    marked.days,
    cast(marked.cost as {{ linkless.decimal_type() }}) as cost,
    marked.total_due_amount,
    marked.currency_code,
    marked.services,
    marked.meter,
    marked.size,
    marked.is_reversal,
    marked.reversed_key,
    marked.reversal_key,
    coalesce(own.replaced_by, marked.reversal_key, reversed.replaced_by) as superseded_by,
    -- The usage of a bill that was billed again counts only where its reversal takes it back.
    case
        when marked.is_reversal then true
        when marked.reversal_key is not null then marked.reversal_measured_lines > 0
        when own.replaced_by is not null then false
        else true
    end as counts_in_usage,
    case
        when marked.is_exact_pair = 1 then false
        when marked.reversal_key is null and own.replaced_by is not null then false
        else true
    end as counts_in_months
from marked
left join replacements as own
    on marked.connection_key = own.connection_key
    and marked.account_number = own.account_number
    and marked.statement_key = own.statement_key
left join replacements as reversed
    on marked.connection_key = reversed.connection_key
    and marked.account_number = reversed.account_number
    and marked.reversed_key = reversed.statement_key
