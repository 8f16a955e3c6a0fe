-- Question: By how much have the stores grown on disk since another scan?
-- Grain:    one row
-- Params:   $baseline  VARCHAR  the other scan's ID
-- Columns:  old_stored_bytes  BIGINT  on disk in all sources at the other scan
--           new_stored_bytes  BIGINT  the same at this scan
--           growth_bytes      BIGINT  new - old; negative if the stores shrank
--           growth_percent    DOUBLE  percent of old; null if old is 0
-- Source:   docs/check.md, "Rules"; docs/measures.md, "Stored bytes"
WITH sums AS (
    SELECT
        (
            SELECT coalesce(sum(stored_bytes), 0)::BIGINT FROM sources WHERE scan = $baseline
        ) AS old_bytes,
        (SELECT coalesce(sum(stored_bytes), 0)::BIGINT FROM scan_sources) AS new_bytes
)

SELECT
    old_bytes AS old_stored_bytes,
    new_bytes AS new_stored_bytes,
    new_bytes - old_bytes AS growth_bytes,
    100 * (new_bytes - old_bytes)::DOUBLE / nullif(old_bytes, 0) AS growth_percent
FROM sums;
