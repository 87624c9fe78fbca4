-- What was used according to each bill, per service and unit.
--
-- Bills repeat one quantity on many lines. Lines are compared within one meter, service and unit:
--   1. equal quantities count once, unless words tell them apart as parts (tiers, times of use)
--   2. the parts of the supply add up; a line that equals their sum is their total
--   3. delivery and taxes repeat the supply: they settle which reading of the supply is right, and count only where
--      there is none, or where they show that a part of it is missing
with lines as (
    select
        lines.*,
        coalesce(lines.service, '') as service_key,
        lower(lines.unit) as unit_key,
        bills.is_reversal as is_reversal_bill
    from {{ ref('int_linkless__lines') }} as lines
    inner join {{ ref('int_linkless__bills') }} as bills
        on lines.connection_key = bills.connection_key
        and lines.account_number = bills.account_number
        and lines.statement_key = bills.statement_key
    where lines.is_measured = 1 and bills.counts_in_usage
),

-- Sizes of what was used, to know discounts on it.
used as (
    select distinct connection_key, account_number, statement_key, meter, service_key, unit_key, size
    from lines
    where direction_sign > 0 and is_export = 0
),

directed as (
    select
        lines.*,
        case
            when lines.is_export = 1 then 'export'
            when lines.is_reversal_bill or lines.direction_sign > 0 then 'consumption'
            when lines.is_reversal = 1 then 'consumption'
            when lines.component <> 'supply' then 'discount'
            when lines.is_credit = 0 then 'consumption'
            when used.size is not null then 'discount'
            else 'export'
        end as direction,
        case
            when lines.is_reversal_bill then -1
            when lines.is_export = 1 then 1
            when lines.direction_sign < 0 and (lines.is_credit = 0 or lines.is_reversal = 1) then -1
            else 1
        end as side
    from lines
    left join used
        on lines.connection_key = used.connection_key
        and lines.account_number = used.account_number
        and lines.statement_key = used.statement_key
        and lines.meter = used.meter
        and lines.service_key = used.service_key
        and lines.unit_key = used.unit_key
        and lines.size = used.size
),

pieces as (
    select
        connection_key,
        account_number,
        statement_key,
        meter,
        service_key,
        unit_key,
        direction,
        side,
        component,
        part,
        size,
        min(case when part = '' then line_words else '' end) as piece_words,
        count(*) as line_count
    from directed
    where direction <> 'discount'
    group by
        connection_key, account_number, statement_key, meter, service_key, unit_key, direction, side, component, part,
        size
),

texts as (
    select
        connection_key,
        account_number,
        statement_key,
        meter,
        service_key,
        unit_key,
        direction,
        side,
        component,
        piece_words,
        sum(size) as size
    from pieces
    where component <> 'supply'
    group by
        connection_key, account_number, statement_key, meter, service_key, unit_key, direction, side, component,
        piece_words
),

repeats as (
    select
        connection_key,
        account_number,
        statement_key,
        meter,
        service_key,
        unit_key,
        direction,
        side,
        max(case when component = 'delivery' then size end) as delivery,
        max(case when component = 'tax' then size end) as tax
    from texts
    group by connection_key, account_number, statement_key, meter, service_key, unit_key, direction, side
),

sums as (
    select
        connection_key,
        account_number,
        statement_key,
        meter,
        service_key,
        unit_key,
        direction,
        side,
        count(case when component = 'supply' and part = '' then size end) as wholes,
        sum(case when component = 'supply' and part = '' then size end) as whole_sum,
        max(case when component = 'supply' and part = '' then size end) as whole_max,
        sum(case when component = 'supply' and part <> '' then size end) as part_sum,
        max(case when component = 'supply' then 1 else 0 end) as has_supply,
        sum(line_count) as line_count
    from pieces
    group by connection_key, account_number, statement_key, meter, service_key, unit_key, direction, side
),

supplies as (
    select
        sums.*,
        repeats.delivery,
        repeats.tax,
        case
            when part_sum is null and wholes >= 3 and {{ linkless.about_equal('2 * whole_max', 'whole_sum') }}
                then whole_max
            when part_sum is null then whole_sum
            when wholes = 0 then part_sum
            when {{ linkless.about_equal('whole_max', 'part_sum') }} then whole_max
            else whole_sum + part_sum
        end as supply,
        coalesce(whole_max, part_sum) as single_supply
    from sums
    left join repeats
        on sums.connection_key = repeats.connection_key
        and sums.account_number = repeats.account_number
        and sums.statement_key = repeats.statement_key
        and sums.meter = repeats.meter
        and sums.service_key = repeats.service_key
        and sums.unit_key = repeats.unit_key
        and sums.direction = repeats.direction
        and sums.side = repeats.side
),

meters as (
    select
        connection_key,
        account_number,
        statement_key,
        meter,
        service_key,
        unit_key,
        direction,
        side,
        line_count,
        has_supply,
        case
            when supply is null then coalesce(delivery, tax)
            when {{ linkless.about_equal('supply', 'delivery') }} then supply
            when {{ linkless.about_equal('supply', 'tax') }} then supply
            when {{ linkless.about_equal('single_supply', 'delivery') }} then single_supply
            when {{ linkless.about_equal('single_supply', 'tax') }} then single_supply
            when delivery > supply then delivery
            else supply
        end as size
    from supplies
),

-- Lines without a meter beside lines with one: delivery and taxes on all meters, or their total.
beside as (
    select
        meters.*,
        sum(case when meter <> '' then size end) over (
            partition by
                connection_key, account_number, statement_key, service_key, unit_key, direction, side
        ) as size_of_meters
    from meters
),

counted as (
    select
        *,
        case
            when meter = '' and size_of_meters is not null
                and (has_supply = 0 or {{ linkless.about_equal('size', 'size_of_meters') }}) then 0
            else 1
        end as counts
    from beside
),

units as (
    select lower(unit) as unit_key, coalesce(service, '') as service_key, unit_normalized, factor, basis
    from {{ ref('linkless_units') }}
),

units_as_printed as (
    select lower(unit) as unit_key, min(unit) as unit from {{ ref('int_linkless__lines') }} group by lower(unit)
),

totals as (
    select
        connection_key,
        account_number,
        statement_key,
        service_key,
        unit_key,
        direction,
        sum(side * counts * size) as quantity,
        sum(line_count) as line_count
    from counted
    group by connection_key, account_number, statement_key, service_key, unit_key, direction
),

converted as (
    select
        totals.*,
        units_as_printed.unit,
        coalesce(of_service.factor, of_unit.factor, 1) as factor,
        coalesce(of_service.basis, of_unit.basis, 'none') as basis,
        coalesce(of_service.unit_normalized, of_unit.unit_normalized, units_as_printed.unit) as unit_normalized
    from totals
    inner join units_as_printed on totals.unit_key = units_as_printed.unit_key
    left join units as of_service
        on totals.unit_key = of_service.unit_key and totals.service_key = of_service.service_key
    left join units as of_unit on totals.unit_key = of_unit.unit_key and of_unit.service_key = ''
),

-- The same quantity in two units (CCF and therms, kWh and MWh) counts once, in the unit that says it best.
said_better as (
    select distinct
        worse.connection_key, worse.account_number, worse.statement_key, worse.service_key, worse.direction, worse.unit_key
    from converted as worse
    inner join converted as better
        on worse.connection_key = better.connection_key
        and worse.account_number = better.account_number
        and worse.statement_key = better.statement_key
        and worse.service_key = better.service_key
        and worse.direction = better.direction
        and worse.unit_normalized = better.unit_normalized
        and worse.unit_key <> better.unit_key
    where (
        worse.basis = 'nominal heat content'
        and better.basis = 'exact'
        and worse.quantity * worse.factor between 0.8 * better.quantity * better.factor
            and 1.25 * better.quantity * better.factor
    )
    or (
        worse.basis = better.basis
        and abs(worse.quantity * worse.factor - better.quantity * better.factor)
            <= 0.01 * abs(better.quantity * better.factor)
        and (worse.factor > better.factor or (worse.factor = better.factor and worse.unit_key > better.unit_key))
    )
)

select
    converted.connection_key,
    converted.account_number,
    converted.statement_key,
    bills.billing_date,
    bills.period_start,
    bills.period_end,
    nullif(converted.service_key, '') as service,
    converted.direction,
    cast(converted.quantity as {{ linkless.decimal_type() }}) as quantity,
    converted.unit,
    cast(
        case
            when converted.factor = 1 then converted.quantity
            else round(converted.quantity * converted.factor, 6)
        end as {{ linkless.decimal_type() }}
    ) as quantity_normalized,
    converted.unit_normalized,
    converted.factor,
    converted.basis,
    cast(converted.line_count as {{ linkless.integer_type() }}) as line_count
from converted
inner join {{ ref('int_linkless__bills') }} as bills
    on converted.connection_key = bills.connection_key
    and converted.account_number = bills.account_number
    and converted.statement_key = bills.statement_key
left join said_better
    on converted.connection_key = said_better.connection_key
    and converted.account_number = said_better.account_number
    and converted.statement_key = said_better.statement_key
    and converted.service_key = said_better.service_key
    and converted.direction = said_better.direction
    and converted.unit_key = said_better.unit_key
where said_better.unit_key is null
