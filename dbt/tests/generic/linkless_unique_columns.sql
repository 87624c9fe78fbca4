{# Fails where several rows have the same values in `columns`. #}
{% test linkless_unique_columns(model, columns) %}

select {{ columns | join(', ') }}, count(*) as same_rows
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1

{% endtest %}
