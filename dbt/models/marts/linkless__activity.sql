-- One row per bill and service that counts, ready to be multiplied with emission factors of any table.
with sites as (
    {% if var('linkless_sites', none) -%}
    select connection_key, account_number, site from {{ ref(var('linkless_sites')) }}
    {%- else -%}
    select
        cast(null as {{ linkless.string_type() }}) as connection_key,
        cast(null as {{ linkless.string_type() }}) as account_number,
        cast(null as {{ linkless.string_type() }}) as site
    from (select 1 as nothing) as no_sites
    where 1 = 0
    {%- endif %}
),

countries as (
    select
        connection_key,
        account_number,
        case
            when length(source_country) = 2 then upper(source_country)
            when lower(source_country) in ('united states', 'united states of america', 'usa') then 'US'
            when lower(source_country) = 'canada' then 'CA'
            else source_country
        end as country
    from {{ ref('stg_linkless__accounts') }}
)

select
    usage.connection_key,
    usage.account_number,
    usage.statement_key,
    coalesce(sites.site, usage.connection_key || ' ' || usage.account_number) as site,
    usage.service,
    cast(sum(usage.quantity_normalized) as {{ linkless.decimal_type() }}) as quantity,
    usage.unit_normalized as unit,
    usage.period_start as start_date,
    usage.period_end as end_date,
    countries.country
from {{ ref('linkless__usage') }} as usage
inner join {{ ref('int_linkless__bills') }} as bills
    on usage.connection_key = bills.connection_key
    and usage.account_number = bills.account_number
    and usage.statement_key = bills.statement_key
left join sites
    on usage.connection_key = sites.connection_key and usage.account_number = sites.account_number
left join countries
    on usage.connection_key = countries.connection_key and usage.account_number = countries.account_number
where usage.direction = 'consumption' and bills.counts_in_months
group by
    usage.connection_key,
    usage.account_number,
    usage.statement_key,
    coalesce(sites.site, usage.connection_key || ' ' || usage.account_number),
    usage.service,
    usage.unit_normalized,
    usage.period_start,
    usage.period_end,
    countries.country
