-- Question: How many bytes does each image hold alone, and how many are attributed to it?
-- Grain:    one row per (granularity, image); images without any unit are left out
-- Params:   none
-- Columns:  granularity       VARCHAR  compressed, unpacked or content
--           image_id          VARCHAR  config digest as computed
--           exclusive_bytes   BIGINT   weight of units that only this image references
--           unknown_units     BIGINT   units that only this image references and that could not be
--                                      read, so that exclusive_bytes is too small
--           attributed_bytes  BIGINT   sum of weight / number of images; rounded to whole bytes
--                                      by largest remainder, ties in the order of image IDs
-- Source:   docs/measures.md, "Exclusive bytes", "Attributed bytes"
WITH holdings AS (
    SELECT
        granularity,
        bytes,
        unknown_units,
        len(images) AS holders,
        unnest(images) AS image_id
    FROM unit_class
),

image_shares AS (
    SELECT
        granularity,
        image_id,
        sum(CASE WHEN holders = 1 THEN bytes ELSE 0 END) AS exclusive_bytes,
        sum(CASE WHEN holders = 1 THEN unknown_units ELSE 0 END) AS unknown_units,
        whole_share(bytes, holders) AS whole,
        share_rest(bytes, holders) AS rest
    FROM holdings
    GROUP BY granularity, image_id
),

granularity_sums AS (
    SELECT granularity, sum(bytes) AS total FROM unit_class GROUP BY granularity
)

SELECT
    granularity,
    image_id,
    exclusive_bytes::BIGINT AS exclusive_bytes,
    unknown_units::BIGINT AS unknown_units,
    rounded_share(whole, rest, total, granularity, image_id)::BIGINT AS attributed_bytes
FROM image_shares
JOIN granularity_sums USING (granularity)
ORDER BY granularity, image_id;
