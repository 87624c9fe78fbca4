{# The types of the package's columns, and values of JSON and of times, for each warehouse. #}

{% macro decimal_type() %}{{ 'numeric' if target.type == 'bigquery' else 'numeric(38, 9)' }}{% endmacro %}

{% macro string_type() %}{{ 'string' if target.type in ('bigquery', 'databricks', 'spark') else 'varchar' }}{% endmacro %}

{% macro integer_type() %}{{ 'int64' if target.type == 'bigquery' else 'bigint' }}{% endmacro %}

{% macro timestamp_type() %}{{ 'datetime' if target.type == 'bigquery' else 'timestamp' }}{% endmacro %}

{% macro sql_type(kind) %}
    {%- if kind == 'number' -%} {{ linkless.decimal_type() }}
    {%- elif kind == 'integer' -%} {{ linkless.integer_type() }}
    {%- elif kind == 'date' -%} date
    {%- elif kind == 'time' -%} {{ linkless.timestamp_type() }}
    {%- else -%} {{ linkless.string_type() }}
    {%- endif -%}
{% endmacro %}

{# A column of a source as `kind`. A time with a zone becomes the time in UTC; an object becomes its JSON text. #}
{% macro typed(column, kind, found_type) %}
    {%- if kind == 'time' and 'with time zone' in found_type | lower -%}
        cast({{ column }} at time zone 'UTC' as {{ linkless.timestamp_type() }})
    {%- elif kind == 'time' and found_type | lower in ('timestamp_tz', 'timestamptz', 'timestamp_ltz') -%}
        cast(convert_timezone('UTC', {{ column }}) as {{ linkless.timestamp_type() }})
    {%- elif kind == 'json' and target.type == 'bigquery' and found_type | lower == 'json' -%}
        to_json_string({{ column }})
    {%- elif kind == 'json' and target.type == 'snowflake' and found_type | lower in ('variant', 'object') -%}
        to_json({{ column }})
    {%- else -%}
        cast({{ column }} as {{ linkless.sql_type(kind) }})
    {%- endif -%}
{% endmacro %}
