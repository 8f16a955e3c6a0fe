-- Question: What does each image own alone, and what is its share of the rest?
-- Grain:    one row per (granularity, image); images without any unit are not there
-- Params:   none
-- Columns:  granularity       VARCHAR  compressed, unpacked or content
--           image_id          VARCHAR  config digest as computed
--           exclusive_bytes   BIGINT   units that this image alone references
--           attributed_bytes  BIGINT   weight / number of images, summed; whole bytes by largest
--                                      remainder, ties in image order
-- Source:   MEASURES.md, "Accounting that adds up"
WITH holdings AS (
    SELECT granularity, bytes, len(images) AS holders, unnest(images) AS image_id FROM unit_class
),

-- quotients are whole bytes; remainders are summed exactly in a common denominator
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

missing AS (
    SELECT granularity, sum(bytes) AS bytes FROM unit_class GROUP BY granularity
),

ranked AS (
    SELECT
        floored.*,
        missing.bytes - sum(floor_bytes) OVER (PARTITION BY granularity) AS left_over,
        row_number() OVER (PARTITION BY granularity ORDER BY remainder DESC, image_id) AS place
    FROM floored
    JOIN missing USING (granularity)
)

SELECT
    granularity,
    image_id,
    exclusive_bytes::BIGINT AS exclusive_bytes,
    (floor_bytes + CASE WHEN place <= left_over THEN 1 ELSE 0 END)::BIGINT AS attributed_bytes
FROM ranked
ORDER BY granularity, image_id;
