-- Question: How many bytes does deleting exactly these images free?
-- Grain:    one row per granularity
-- Params:   $images  VARCHAR[]  image IDs
-- Columns:  granularity      VARCHAR  disk, compressed, unpacked or content
--           total_bytes      BIGINT   all units that some image references; null for content
--                                     while any image is incomplete
--           freed_bytes      BIGINT   units that only these images reference; for disk, only those
--                                     that nothing else keeps, such as a container; null for
--                                     content while any image is incomplete
--           unknown_units    BIGINT   of these, units that could not be read, so that what is freed
--                                     is at least freed_bytes
--           total_unknown_units  BIGINT  the same of all units, so that there are at least
--                                        total_bytes
--           kept_bytes       BIGINT   units of these images that others need too; null for
--                                     content while any image is incomplete
--           remaining_bytes  BIGINT   total - freed; null for content while any image is incomplete
-- Source:   docs/measures.md, "Exclusive bytes", "What the disk gives back", "Incomplete images"
WITH granularities AS (
    SELECT unnest(['disk', 'compressed', 'unpacked', 'content']) AS granularity
),

numbered AS (
    SELECT *, row_number() OVER () AS class FROM unit_class
),

-- How many of the images to delete have this number or a lower one.
deleted AS (
    SELECT
        number,
        sum(is_chosen::INTEGER) OVER (ORDER BY number) AS images
    FROM (
        SELECT number, holder IN (SELECT unnest($images::VARCHAR[])) AS is_chosen FROM holder
    ) AS chosen
),

spans AS (
    SELECT class, unnest(spans) AS span FROM numbered
),

class_deletions AS (
    SELECT spans.class, sum(upper.images - coalesce(below.images, 0)) AS deleted
    FROM spans
    JOIN deleted AS upper ON upper.number = span['last']
    LEFT JOIN deleted AS below ON below.number = span['first'] - 1
    GROUP BY spans.class
),

classes AS (
    SELECT
        numbered.granularity,
        numbered.unknown_units,
        numbered.bytes,
        class_deletions.deleted = numbered.holders AS is_freed,
        class_deletions.deleted > 0 AS is_touched
    FROM numbered
    JOIN class_deletions USING (class)
    UNION ALL
    SELECT
        'disk',
        count(*) FILTER (WHERE bytes IS NULL),
        coalesce(sum(bytes), 0),
        list_has_all($images::VARCHAR[], images),
        list_has_any($images::VARCHAR[], images)
    FROM disk_unit
    GROUP BY images
),

sums AS (
    SELECT
        granularities.granularity,
        -- a layer that was not read may hold the contents of any other
        granularities.granularity <> 'content'
        OR (
            (SELECT coalesce(bool_and(complete), TRUE) FROM image)
            AND NOT EXISTS (SELECT 1 FROM node WHERE is_listed(node.layer))
        ) AS is_known,
        coalesce(sum(bytes), 0) AS total,
        coalesce(sum(unknown_units), 0) AS total_unknown_units,
        coalesce(sum(bytes) FILTER (WHERE is_freed), 0) AS freed,
        coalesce(sum(unknown_units) FILTER (WHERE is_freed), 0) AS unknown_units,
        coalesce(sum(bytes) FILTER (WHERE is_touched), 0) AS touched
    FROM granularities
    LEFT JOIN classes USING (granularity)
    GROUP BY granularities.granularity
)

SELECT
    granularity,
    if(is_known, total, NULL)::BIGINT AS total_bytes,
    if(is_known, freed, NULL)::BIGINT AS freed_bytes,
    unknown_units::BIGINT AS unknown_units,
    total_unknown_units::BIGINT AS total_unknown_units,
    if(is_known, touched - freed, NULL)::BIGINT AS kept_bytes,
    if(is_known, total - freed, NULL)::BIGINT AS remaining_bytes
FROM sums
ORDER BY granularity;
