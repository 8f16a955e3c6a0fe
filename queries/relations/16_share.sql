-- Question: How many bytes does each image hold alone, and how many are attributed to it?
-- Grain:    one row per (granularity, image); images without any unit are left out
-- Params:   none
-- Columns:  granularity       VARCHAR  compressed, unpacked or content
--           image_id          VARCHAR  config digest as computed
--           exclusive_bytes   BIGINT   weight of units that only this image references
--           attributed_bytes  BIGINT   sum of weight / number of images; rounded to whole bytes
--                                      by largest remainder, ties in the order of image IDs
-- Source:   docs/measures.md, "Exclusive bytes", "Attributed bytes"
WITH holdings AS (
    SELECT granularity, bytes, len(images) AS holders, unnest(images) AS image_id FROM unit_class
),

-- Each weight is divided into whole bytes and a remainder. The remainders are summed exactly, over
-- a common denominator.
image_shares AS (
    SELECT
        granularity,
        image_id,
        sum(CASE WHEN holders = 1 THEN bytes ELSE 0 END) AS exclusive_bytes,
        sum(bytes // holders) AS whole,
        sum((bytes % holders) * (share_scale() // holders)) AS rest
    FROM holdings
    GROUP BY granularity, image_id
),

floored AS (
    SELECT
        granularity,
        image_id,
        exclusive_bytes,
        whole + rest // share_scale() AS floor_bytes,
        rest % share_scale() AS remainder
    FROM image_shares
),

granularity_sums AS (
    SELECT granularity, sum(bytes) AS bytes FROM unit_class GROUP BY granularity
),

-- The bytes left over after rounding down go to the images with the largest remainders.
ranked AS (
    SELECT
        floored.*,
        granularity_sums.bytes - sum(floor_bytes) OVER (PARTITION BY granularity) AS left_over,
        row_number() OVER (PARTITION BY granularity ORDER BY remainder DESC, image_id) AS place
    FROM floored
    JOIN granularity_sums USING (granularity)
)

SELECT
    granularity,
    image_id,
    exclusive_bytes::BIGINT AS exclusive_bytes,
    (floor_bytes + CASE WHEN place <= left_over THEN 1 ELSE 0 END)::BIGINT AS attributed_bytes
FROM ranked
ORDER BY granularity, image_id;
