-- Question: By how much have the sources of the view grown on disk since another scan?
-- Grain:    one row
-- Params:   $baseline  VARCHAR  the other scan's ID
-- Columns:  old_stored_bytes  BIGINT  on disk at the other scan, or when last read before it
--           new_stored_bytes  BIGINT  on disk in the view, without sources that no scan had looked
--                                     for until the other scan
--           growth_bytes      BIGINT  new - old; negative if the sources shrank
--           growth_percent    DOUBLE  percent of old; null if old is 0
-- Source:   docs/check.md, "Rules"; docs/measures.md, "Stored bytes", "Which scans answer"
WITH sums AS (
    SELECT
        (
            SELECT coalesce(sum(sources.stored_bytes), 0)::BIGINT
            FROM answering_at('span', $baseline)
            JOIN sources USING (source, scan)
        ) AS old_bytes,
        (
            SELECT coalesce(sum(stored_bytes), 0)::BIGINT
            FROM scan_sources
            ANTI JOIN first_seen
                ON first_seen.source = scan_sources.source AND first_seen.scan > $baseline
        ) AS new_bytes
)

SELECT
    old_bytes AS old_stored_bytes,
    new_bytes AS new_stored_bytes,
    new_bytes - old_bytes AS growth_bytes,
    100 * (new_bytes - old_bytes)::DOUBLE / nullif(old_bytes, 0) AS growth_percent
FROM sums;
