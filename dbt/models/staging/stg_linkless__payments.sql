with payments as (
    {{ linkless.current_rows('payments', ['connection_key', 'account_number', 'statement_key', 'payment_key'], [
        ['statement_key', 'text'],
        ['payment_key', 'text'],
        ['date', 'date', 'payment_date'],
        ['details', 'text'],
        ['amount', 'number'],
        ['currency_code', 'text'],
    ]) }}
)

select payments.*
from payments
{% if linkless.has_source('statements') -%}
inner join {{ ref('stg_linkless__statements') }} as statements
    on payments.connection_key = statements.connection_key
    and payments.account_number = statements.account_number
    and payments.statement_key = statements.statement_key
{%- else -%}
-- depends_on: {{ ref('stg_linkless__statements') }}
{%- endif %}
