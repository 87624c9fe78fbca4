with charges as (
    {{ linkless.current_rows('charges', ['connection_key', 'account_number', 'statement_key', 'charge_key'], [
        ['statement_key', 'text'],
        ['charge_key', 'text'],
        ['charge_name', 'text'],
        ['amount', 'number'],
        ['currency_code', 'text'],
        ['billing_date', 'date'],
        ['quantity', 'number'],
        ['unit', 'text'],
        ['unit_price', 'number'],
        ['part_of', 'json'],
    ]) }}
)

select charges.*
from charges
{% if linkless.has_source('statements') -%}
inner join {{ ref('stg_linkless__statements') }} as statements
    on charges.connection_key = statements.connection_key
    and charges.account_number = statements.account_number
    and charges.statement_key = statements.statement_key
{%- else -%}
-- depends_on: {{ ref('stg_linkless__statements') }}
{%- endif %}
