-- Question: How many bytes does deleting exactly these images free?
-- Grain:    one row per granularity
-- Params:   $images  VARCHAR[]  image IDs
-- Columns:  granularity      VARCHAR  compressed, unpacked or content
--           total_bytes      BIGINT   all units that some image references
--           freed_bytes      BIGINT   units that only these images reference
--           kept_bytes       BIGINT   units of these images that others reference too
--           remaining_bytes  BIGINT   total - freed
-- Source:   docs/measures.md, "Exclusive bytes"
WITH granularities AS (
    SELECT unnest(['compressed', 'unpacked', 'content']) AS granularity
),

sums AS (
    SELECT
        granularities.granularity,
        coalesce(sum(bytes), 0) AS total,
        coalesce(sum(bytes) FILTER (WHERE list_has_all($images::VARCHAR[], images)), 0) AS freed,
        coalesce(sum(bytes) FILTER (WHERE list_has_any($images::VARCHAR[], images)), 0) AS touched
    FROM granularities
    LEFT JOIN unit_class USING (granularity)
    GROUP BY granularities.granularity
)

SELECT
    granularity,
    total::BIGINT AS total_bytes,
    freed::BIGINT AS freed_bytes,
    (touched - freed)::BIGINT AS kept_bytes,
    (total - freed)::BIGINT AS remaining_bytes
FROM sums
ORDER BY granularity;
