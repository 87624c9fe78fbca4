-- One row per line of a current bill, with what its text, its unit and the lines beside it tell.
--
-- The service of a line comes from the first of these that names exactly one:
--   1. part_of: what encloses the line in the bill
--   2. the words of the line (only services that can be measured in its unit)
--   3. the other lines of the same meter: those in the same unit, then those with the same quantity, then all of them
--   4. the unit, where it belongs to one service
-- Otherwise it is null.
with lines as (
    select
        *,
        {{ linkless.words_of("coalesce(charge_name, '') || ' ' || " ~ linkless.section_texts("coalesce(part_of, '')")) }}
            as line_words,
        {{ linkless.words_of(linkless.service_texts("coalesce(part_of, '')")) }} as enclosing_words,
        {{ linkless.meter_of("coalesce(part_of, '')") }} as meter,
        lower(unit) as unit_name,
        abs(quantity) as size
    from {{ ref('stg_linkless__charges') }}
),

texts as (
    select line_words as words from lines
    union distinct
    select enclosing_words as words from lines
),

found as (
    select texts.words, words.word, words.meaning, words.is_service
    from texts
    inner join {{ ref('int_linkless__words') }} as words on texts.words like words.pattern
),

-- "water" tells nothing where the text says "waste water".
services_of_texts as (
    select distinct found.words, found.meaning as service
    from found
    left join found as longer
        on found.words = longer.words
        and longer.is_service = 1
        and length(longer.word) > length(found.word)
        and longer.word like '%' || found.word || '%'
    where found.is_service = 1 and longer.words is null
),

parts_of_texts as (
    select words, {{ dbt.listagg('word', "'|'", 'order by word') }} as part
    from (select distinct words, word from found where meaning = 'part') as parts
    group by words
),

kinds_of_texts as (
    select
        words,
        max(case when meaning = 'delivery' then 1 else 0 end) as is_delivery,
        max(case when meaning = 'tax' then 1 else 0 end) as is_tax,
        max(case when meaning = 'export' then 1 else 0 end) as is_export,
        max(case when meaning = 'credit' then 1 else 0 end) as is_credit,
        max(case when meaning = 'reversal' then 1 else 0 end) as is_reversal,
        max(case when meaning = 'reading' then 1 else 0 end) as is_reading,
        max(case when meaning = 'balance' then 1 else 0 end) as is_balance
    from found
    group by words
),

units as (
    select distinct lower(unit) as unit_name, kind, coalesce(service, '') as service, is_default
    from {{ ref('linkless_units') }}
),

unit_kinds as (
    select unit_name, min(kind) as kind, max(case when is_default then service end) as default_service
    from units
    group by unit_name
),

-- Steps 1 and 2, once for every different text.
forms as (
    select distinct line_words, enclosing_words, unit_name from lines
),

candidates as (
    select forms.line_words, forms.enclosing_words, forms.unit_name, 1 as step, services.service
    from forms
    inner join services_of_texts as services on forms.enclosing_words = services.words
    union all
    select forms.line_words, forms.enclosing_words, forms.unit_name, 2 as step, services.service
    from forms
    inner join services_of_texts as services on forms.line_words = services.words
),

possible as (
    select candidates.*
    from candidates
    left join unit_kinds on candidates.unit_name = unit_kinds.unit_name
    left join units on candidates.unit_name = units.unit_name and candidates.service = units.service
    where candidates.step = 1
        or unit_kinds.unit_name is null
        or unit_kinds.kind = 'time'
        or units.service is not null
),

services_of_forms as (
    select
        line_words,
        enclosing_words,
        coalesce(unit_name, '') as unit_name,
        coalesce(
            case
                when count(distinct case when step = 1 then service end) = 1
                    then min(case when step = 1 then service end)
            end,
            case
                when count(distinct case when step = 2 then service end) = 1
                    then min(case when step = 2 then service end)
            end
        ) as service
    from possible
    group by line_words, enclosing_words, unit_name
),

described as (
    select
        lines.*,
        forms.service as told_service,
        unit_kinds.default_service,
        coalesce(parts.part, '') as part,
        case when coalesce(kinds.is_tax, 0) = 1 then 'tax' when coalesce(kinds.is_delivery, 0) = 1 then 'delivery' else 'supply' end
            as component,
        coalesce(kinds.is_export, 0) as is_export,
        coalesce(kinds.is_credit, 0) as is_credit,
        coalesce(kinds.is_reversal, 0) as is_reversal,
        coalesce(kinds.is_balance, 0) as is_balance,
        case
            when lines.quantity is null or lines.quantity = 0 or lines.unit is null then 0
            when coalesce(unit_kinds.kind, 'consumption') <> 'consumption' then 0
            when coalesce(kinds.is_balance, 0) = 1 then 0
            when coalesce(kinds.is_reading, 0) = 1 and lines.unit_price is null and coalesce(lines.amount, 0) = 0 then 0
            else 1
        end as is_measured,
        case
            when lines.quantity < 0 then -1
            when lines.amount < 0 and not coalesce(lines.unit_price < 0, false) then -1
            else 1
        end as direction_sign
    from lines
    left join services_of_forms as forms
        on lines.line_words = forms.line_words
        and lines.enclosing_words = forms.enclosing_words
        and coalesce(lines.unit_name, '') = forms.unit_name
    left join unit_kinds on lines.unit_name = unit_kinds.unit_name
    left join kinds_of_texts as kinds on lines.line_words = kinds.words
    left join parts_of_texts as parts on lines.line_words = parts.words
),

-- Step 3: what the other lines of the same meter on the same bill tell.
told as (
    select
        connection_key,
        account_number,
        statement_key,
        meter,
        told_service,
        max(is_measured) as is_measured
    from described
    where told_service is not null
    group by connection_key, account_number, statement_key, meter, told_service
),

told_by_unit as (
    select
        connection_key,
        account_number,
        statement_key,
        meter,
        unit_name,
        count(distinct told_service) as services,
        min(told_service) as service
    from described
    where told_service is not null and is_measured = 1
    group by connection_key, account_number, statement_key, meter, unit_name
),

told_by_size as (
    select
        connection_key,
        account_number,
        statement_key,
        meter,
        unit_name,
        size,
        count(distinct told_service) as services,
        min(told_service) as service
    from described
    where told_service is not null and is_measured = 1
    group by connection_key, account_number, statement_key, meter, unit_name, size
),

untold as (
    select distinct connection_key, account_number, statement_key, meter, unit_name
    from described
    where told_service is null and is_measured = 1
),

told_by_meter as (
    select
        untold.connection_key,
        untold.account_number,
        untold.statement_key,
        untold.meter,
        untold.unit_name,
        count(told.told_service) as services,
        sum(case when units.service is not null then 1 else 0 end) as possible_services,
        min(case when units.service is not null then told.told_service end) as possible_service,
        sum(case when units.service is not null and told.is_measured = 0 then 1 else 0 end) as unmeasured_services,
        min(case when units.service is not null and told.is_measured = 0 then told.told_service end)
            as unmeasured_service
    from untold
    inner join told
        on untold.connection_key = told.connection_key
        and untold.account_number = told.account_number
        and untold.statement_key = told.statement_key
        and untold.meter = told.meter
    left join units on untold.unit_name = units.unit_name and told.told_service = units.service
    group by
        untold.connection_key, untold.account_number, untold.statement_key, untold.meter, untold.unit_name
),

measured as (
    select
        described.*,
        case
            when described.told_service is not null then described.told_service
            when described.is_measured = 0 then described.default_service
            when by_unit.services = 1 then by_unit.service
            when by_unit.services > 1 then case when by_size.services = 1 then by_size.service end
            when by_meter.services = 1 and by_meter.possible_services = 1 then by_meter.possible_service
            when by_meter.unmeasured_services = 1 then by_meter.unmeasured_service
            when by_meter.unmeasured_services > 1 then null
            else described.default_service
        end as known_service
    from described
    left join told_by_unit as by_unit
        on described.connection_key = by_unit.connection_key
        and described.account_number = by_unit.account_number
        and described.statement_key = by_unit.statement_key
        and described.meter = by_unit.meter
        and described.unit_name = by_unit.unit_name
    left join told_by_size as by_size
        on described.connection_key = by_size.connection_key
        and described.account_number = by_size.account_number
        and described.statement_key = by_size.statement_key
        and described.meter = by_size.meter
        and described.unit_name = by_size.unit_name
        and described.size = by_size.size
    left join told_by_meter as by_meter
        on described.connection_key = by_meter.connection_key
        and described.account_number = by_meter.account_number
        and described.statement_key = by_meter.statement_key
        and described.meter = by_meter.meter
        and described.unit_name = by_meter.unit_name
),

-- A fee or a tax belongs to the only service of its meter, else to the only one of its bill.
known as (
    select
        connection_key,
        account_number,
        statement_key,
        meter,
        min(known_service) as service,
        count(distinct known_service) as services
    from measured
    group by connection_key, account_number, statement_key, meter
),

known_of_bills as (
    select
        connection_key,
        account_number,
        statement_key,
        min(known_service) as service,
        count(distinct known_service) as services
    from measured
    group by connection_key, account_number, statement_key
)

select
    measured.connection_key,
    measured.account_number,
    measured.statement_key,
    measured.charge_key,
    measured.charge_name,
    measured.line_words,
    measured.amount,
    measured.currency_code,
    measured.quantity,
    measured.unit,
    measured.unit_price,
    measured.meter,
    measured.part,
    measured.component,
    measured.is_export,
    measured.is_credit,
    measured.is_reversal,
    measured.is_balance,
    measured.is_measured,
    measured.direction_sign,
    measured.size,
    case
        when measured.known_service is not null then measured.known_service
        when measured.is_measured = 1 then null
        when known.services = 1 then known.service
        when known_of_bills.services = 1 then known_of_bills.service
    end as service
from measured
inner join known
    on measured.connection_key = known.connection_key
    and measured.account_number = known.account_number
    and measured.statement_key = known.statement_key
    and measured.meter = known.meter
inner join known_of_bills
    on measured.connection_key = known_of_bills.connection_key
    and measured.account_number = known_of_bills.account_number
    and measured.statement_key = known_of_bills.statement_key
