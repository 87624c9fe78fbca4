select *
from {{ ref('base_linkless__accounts') }}
where statement_count is null or statement_count > 0
