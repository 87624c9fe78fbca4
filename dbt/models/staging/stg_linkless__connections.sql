with source_rows as (
    {{ linkless.source_rows('connections', linkless.connection_columns()) }}
),

ranked as (
    select
        *,
        row_number() over (partition by connection_key order by observed_at desc, loaded_at desc) as version_rank
    from source_rows
)

select
    {%- for column in linkless.connection_columns() if column[0] != '_airbyte_extracted_at' %}
    {{ column[0] }}{{ ',' if not loop.last }}
    {%- endfor %}
from ranked
where version_rank = 1
