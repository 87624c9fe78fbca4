-- The words that tell something about a line: those of the package and, with linkless_more_words, your own.
with words as (
    select language, word, meaning from {{ ref('linkless_words') }}
    {% if var('linkless_more_words', none) -%}
    union all
    select language, word, meaning from {{ ref(var('linkless_more_words')) }}
    {%- endif %}
)

select distinct
    meaning,
    replace(lower(word), '*', '') as word,
    '% ' || replace(lower(word), '*', '%') || ' %' as pattern,
    case
        when meaning in ('electricity', 'gas', 'water', 'wastewater', 'steam', 'chilled_water', 'fuel')
            then 1
        else 0
    end as is_service
from words
