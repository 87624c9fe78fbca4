with statements as (
    {{ linkless.current_rows('statements', ['connection_key', 'account_number', 'statement_key'], [
        ['statement_key', 'text'],
        ['statement_key_basis', 'text'],
        ['statement_id', 'text'],
        ['statement_number', 'text'],
        ['customer_name', 'text'],
        ['customer_number', 'text'],
        ['billing_address', 'text'],
        ['billing_date', 'date'],
        ['billing_period_start_date', 'date'],
        ['billing_period_end_date', 'date'],
        ['billing_period_duration_days', 'integer'],
        ['next_billing_date', 'date'],
        ['payment_due_date', 'date'],
        ['auto_pay_date', 'date'],
        ['previous_total_due_amount', 'number'],
        ['balance_forward', 'number'],
        ['total_due_amount', 'number'],
        ['currency_code', 'text'],
        ['content_hash', 'text'],
    ]) }}
),

vanished_accounts as (
    select connection_key, account_number
    from {{ ref('base_linkless__accounts') }}
    where statement_count = 0
)

select statements.*
from statements
left join vanished_accounts
    on statements.connection_key = vanished_accounts.connection_key
    and statements.account_number = vanished_accounts.account_number
where vanished_accounts.connection_key is null
