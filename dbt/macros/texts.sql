{# Replace every match of a regular expression. #}
{% macro replace_all(text, pattern, replacement) %}
    {{- adapter.dispatch('replace_all', 'linkless')(text, pattern, replacement) -}}
{% endmacro %}

{% macro default__replace_all(text, pattern, replacement) -%}
    regexp_replace({{ text }}, '{{ pattern }}', '{{ replacement }}')
{%- endmacro %}

{% macro duckdb__replace_all(text, pattern, replacement) -%}
    regexp_replace({{ text }}, '{{ pattern }}', '{{ replacement }}', 'g')
{%- endmacro %}

{% macro postgres__replace_all(text, pattern, replacement) -%}
    regexp_replace({{ text }}, '{{ pattern }}', '{{ replacement }}', 'g')
{%- endmacro %}

{# Return the only group of a regular expression, or null or '' where nothing matches. #}
{% macro first_group(text, pattern) %}
    {{- adapter.dispatch('first_group', 'linkless')(text, pattern) -}}
{% endmacro %}

{% macro default__first_group(text, pattern) -%}
    regexp_extract({{ text }}, '{{ pattern }}', 1)
{%- endmacro %}

{% macro bigquery__first_group(text, pattern) -%}
    regexp_extract({{ text }}, '{{ pattern }}')
{%- endmacro %}

{% macro snowflake__first_group(text, pattern) -%}
    regexp_substr({{ text }}, '{{ pattern }}', 1, 1, 'e', 1)
{%- endmacro %}

{% macro postgres__first_group(text, pattern) -%}
    substring({{ text }} from '{{ pattern }}')
{%- endmacro %}

{#
  A text as words in lower case, with one space before, between and after them. Numbers go, but for single digits, which
  tell tiers apart. Punctuation becomes a space.
#}
{% macro words_of(text) %}
    {%- set marks = '.,;:()/$%@*#&+-_"!?=<>|[]{}€£¢–—’`~^\u00a0' -%}
    {%- set plain = "translate(" ~ linkless.replace_all("lower(" ~ text ~ ")", "[0-9][0-9.,]*[0-9]", " ")
        ~ ", '" ~ marks ~ "' || chr(39), '" ~ " " * (marks | length + 1) ~ "')" -%}
    {{ linkless.replace_all("' ' || " ~ plain ~ " || ' '", " +", " ") }}
{%- endmacro %}

{# The value that `part_of`, the JSON text of what encloses a line, has under a key that matches. #}
{% macro value_of(part_of, keys) -%}
    coalesce({{ linkless.first_group("lower(" ~ part_of ~ ")", '"(?:' ~ keys ~ ')" *: *"?([^",}]+)') }}, '')
{%- endmacro %}

{# The words about the service in `part_of`. #}
{% macro service_texts(part_of) -%}
    {{ linkless.value_of(part_of, '(?:service|utility|commodity|energy|fuel|supply|product|meter)[_ -]?(?:type|kind|name|category|description)') }}
    || ' ' || {{ linkless.value_of(part_of, 'service|utility|commodity|energy|fuel|supply|product') }}
    || ' ' || {{ linkless.value_of(part_of, 'type|kind|category') }}
{%- endmacro %}

{# The words about the section of the bill in `part_of`: supply, delivery, taxes. #}
{% macro section_texts(part_of) -%}
    {{ linkless.value_of(part_of, '(?:section|group|heading|title|charge)[_ -]?(?:name|type|category|title)?') }}
{%- endmacro %}

{# What tells meters apart in `part_of`. #}
{% macro meter_of(part_of) -%}
    {{ linkless.value_of(part_of, 'meter[_ -]?(?:id|number|no|serial|serial[_ -]?number)?|service[_ -]?point[_ -]?(?:id|number)?|mpan|mprn|pod|pdr|ean') }}
{%- endmacro %}

{# True where two quantities are the same but for rounding. #}
{% macro about_equal(first, second) -%}
    abs({{ first }} - {{ second }}) <= 0.002 * greatest(abs({{ first }}), abs({{ second }}))
{%- endmacro %}
