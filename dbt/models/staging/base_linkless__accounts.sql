{{ config(materialized='ephemeral') }}

-- The newest row of every account, those that vanished (statement_count 0) included.
{{ linkless.current_rows('accounts', ['connection_key', 'account_number'], [
    ['connection_id', 'text'],
    ['source_name', 'text'],
    ['source_country', 'text'],
    ['statement_count', 'integer'],
    ['first_billing_date', 'date'],
    ['last_billing_date', 'date'],
]) }}
