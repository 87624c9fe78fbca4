{# The connector's table `name`, or none where it does not exist (a stream that is not synced). #}
{% macro existing_source(name) %}
    {%- set relation = source('linkless', name) -%}
    {%- if execute -%} {{ return(load_relation(relation)) }} {%- endif -%}
    {{ return(relation) }}
{% endmacro %}

{# True where the connector's table `name` exists. #}
{% macro has_source(name) %}
    {{ return(linkless.existing_source(name) is not none) }}
{% endmacro %}

{#
  Select columns of the connector's table `name`, typed. `columns` is a list of [name, kind] or [name, kind, new name].
  A column that the table lacks is null; a table that does not exist gives no rows.
#}
{% macro source_rows(name, columns) %}
    {%- set relation = linkless.existing_source(name) -%}
    {%- set found = {} -%}
    {%- if execute and relation is not none -%}
        {%- for column in adapter.get_columns_in_relation(relation) -%}
            {%- do found.update({column.name | lower: column.data_type}) -%}
        {%- endfor -%}
    {%- endif %}
    select
    {%- for column in columns %}
        {% if column[0] in found or not execute -%}
            {{ linkless.typed(column[0], column[1], found.get(column[0], '')) }}
        {%- else -%}
            cast(null as {{ linkless.sql_type(column[1]) }})
        {%- endif %} as {{ column[2] if column | length > 2 else column[0] }}
        {{- ',' if not loop.last }}
    {%- endfor %}
    {% if relation is none -%}
    from (select 1 as nothing) as no_table
    where 1 = 0
    {%- else -%}
    from {{ source('linkless', name) }}
    {%- endif %}
{% endmacro %}

{#
  Select the current rows of the connector's table `name`: the newest version of each key, and of each account only the
  rows of its newest snapshot (rows with an older snapshot_at are no longer in the provider's document).
#}
{% macro current_rows(name, key, columns) %}
    {%- set all_columns = linkless.common_columns() + columns -%}
    with source_rows as (
        {{ linkless.source_rows(name, all_columns) }}
    ),

    ranked as (
        select
            *,
            row_number() over (
                partition by {{ key | join(', ') }}
                order by observed_at desc, loaded_at desc
            ) as version_rank,
            max(snapshot_at) over (partition by connection_key, account_number) as newest_snapshot_at
        from source_rows
    )

    select
    {%- for column in all_columns if column[0] != '_airbyte_extracted_at' %}
        {{ column[2] if column | length > 2 else column[0] }}{{ ',' if not loop.last }}
    {%- endfor %}
    from ranked
    where version_rank = 1
        and (newest_snapshot_at is null or snapshot_at = newest_snapshot_at)
{% endmacro %}

{% macro common_columns() %}
    {{ return([
        ['connection_key', 'text'],
        ['account_number', 'text'],
        ['observed_at', 'time'],
        ['snapshot_at', 'time'],
        ['_airbyte_extracted_at', 'time', 'loaded_at'],
    ]) }}
{% endmacro %}

{% macro connection_columns() %}
    {{ return([
        ['connection_key', 'text'],
        ['observed_at', 'time'],
        ['_airbyte_extracted_at', 'time', 'loaded_at'],
        ['connection_id', 'text'],
        ['source_id', 'text'],
        ['source_name', 'text'],
        ['source_country', 'text'],
        ['status', 'text'],
        ['reason', 'text'],
        ['actor', 'text'],
        ['message', 'text'],
        ['accounts_expected', 'integer'],
        ['accounts_delivered', 'integer'],
        ['statements_delivered', 'integer'],
        ['latest_billing_date', 'date'],
        ['waited_seconds', 'number'],
    ]) }}
{% endmacro %}
