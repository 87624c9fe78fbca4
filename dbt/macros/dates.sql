{# A date plus a number of days, as a date. #}
{% macro plus_days(date, days) -%}
    cast({{ dbt.dateadd('day', days, date) }} as date)
{%- endmacro %}

{# Days from the first date to the second. #}
{% macro days_between(first, second) -%}
    cast({{ dbt.datediff(first, second, 'day') }} as {{ linkless.integer_type() }})
{%- endmacro %}

{# The numbers 0 to 999 as the column n. #}
{% macro numbers() %}
    select cast(hundreds.n * 100 + tens.n * 10 + ones.n as {{ linkless.integer_type() }}) as n
    from ({{ linkless.digits() }}) as ones
    cross join ({{ linkless.digits() }}) as tens
    cross join ({{ linkless.digits() }}) as hundreds
{% endmacro %}

{% macro digits() %}
    {%- for n in range(10) %}select {{ n }} as n{{ ' union all ' if not loop.last }}{% endfor -%}
{% endmacro %}

{#
  The part of `total` that falls on the first `days` of `all_days` days, rounded to six decimals. The difference of two
  such parts is the share of the days between; shares add up to the total exactly, as the last part is the total itself.
#}
{% macro share_until(total, days, all_days) -%}
    case
        when {{ days }} >= {{ all_days }} then {{ total }}
        when {{ days }} <= 0 then cast(0 as {{ linkless.decimal_type() }})
        else cast(round(cast({{ total }} as {{ linkless.decimal_type() }}) * {{ days }} / {{ all_days }}, 6)
            as {{ linkless.decimal_type() }})
    end
{%- endmacro %}
