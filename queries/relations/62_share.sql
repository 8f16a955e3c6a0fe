-- Question: How many bytes does each image hold alone, and how many are attributed to it?
-- Grain:    one row per (granularity, image); images without any unit are left out
-- Params:   none
-- Columns:  granularity       VARCHAR  compressed, unpacked or content
--           image_id          VARCHAR  config digest as computed
--           referenced_bytes  HUGEINT  weight of units that it references
--           exclusive_bytes   BIGINT   weight of units that only this image references
--           unknown_units     BIGINT   units that only this image references and that could not be
--                                      read, so that exclusive_bytes is too small
--           attributed_bytes  BIGINT   sum of weight / number of images; rounded to whole bytes
--                                      by largest remainder, ties in the order of image IDs
-- Source:   docs/measures.md, "Exclusive bytes", "Attributed bytes"
--
-- What a class adds to each image of a span is added at the first and taken away after the last.
-- The sums of these differences, in the order of numbers, are the figures of the images.
WITH spans AS (
    SELECT
        granularity,
        unnest(spans) AS span,
        bytes AS referenced,
        if(holders = 1, bytes, 0) AS exclusive,
        if(holders = 1, unknown_units, 0) AS unknown_units,
        bytes // holders AS whole,
        share_parts(bytes, holders) AS parts
    FROM unit_class
),

differences AS (
    SELECT granularity, span['first'] AS number, 1 AS sign, * EXCLUDE (granularity, span) FROM spans
    UNION ALL
    SELECT granularity, span['last'] + 1, -1, * EXCLUDE (granularity, span) FROM spans
),

changes AS (
    SELECT
        granularity,
        number,
        sum(sign) AS classes,
        sum(sign * referenced) AS referenced,
        sum(sign * exclusive) AS exclusive,
        sum(sign * unknown_units) AS unknown_units,
        sum(sign * whole) AS whole,
        sum(sign * parts) AS parts
    FROM differences
    GROUP BY granularity, number
),

granularity_sums AS (
    SELECT granularity, sum(bytes) AS total FROM unit_class GROUP BY granularity
),

image_sums AS (
    SELECT
        granularity,
        holder.holder AS image_id,
        sum(classes) OVER upwards AS classes,
        sum(referenced) OVER upwards AS referenced,
        sum(exclusive) OVER upwards AS exclusive,
        sum(unknown_units) OVER upwards AS unknown_units,
        sum(whole) OVER upwards AS whole,
        sum(parts) OVER upwards AS parts
    FROM holder
    CROSS JOIN granularity_sums
    LEFT JOIN changes USING (granularity, number)
    WINDOW upwards AS (PARTITION BY granularity ORDER BY number)
)

SELECT
    granularity,
    image_id,
    referenced AS referenced_bytes,
    exclusive::BIGINT AS exclusive_bytes,
    unknown_units::BIGINT AS unknown_units,
    rounded_share(
        whole + parts // share_scale(), parts % share_scale(), total, granularity, image_id
    )::BIGINT AS attributed_bytes
FROM image_sums
JOIN granularity_sums USING (granularity)
WHERE classes > 0
ORDER BY granularity, image_id;
