-- Returns texts whose service is unknown. Add their words with the variable linkless_more_words.
{{ config(severity='warn') }}

select connection_key, account_number, charge_name, unit, count(*) as bill_lines
from {{ ref('int_linkless__lines') }}
where is_measured = 1 and service is null
group by connection_key, account_number, charge_name, unit
