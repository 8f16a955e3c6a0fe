-- Question: What does each image own alone, and what is its share of the rest?
-- Grain:    one row per (granularity, image); images without any unit are not there
-- Params:   none
-- Columns:  granularity       VARCHAR  compressed, unpacked or content
--           image_id          VARCHAR  config digest as computed
--           exclusive_bytes   BIGINT   units that this image alone references
--           attributed_bytes  BIGINT   weight / number of images, summed; whole bytes by largest
--                                      remainder, ties in image order
-- Source:   MEASURES.md, "Accounting that adds up"
WITH blobs AS (
    SELECT DISTINCT blob, compressed_bytes
    FROM scan_image_layers
    WHERE blob IS NOT NULL AND compressed_bytes IS NOT NULL
),

-- contents in the same set of layers are referenced by the same images
contents AS (
    SELECT
        content_hash,
        any_value(size_bytes) AS size_bytes,
        list_sort(list(DISTINCT layer)) AS layers
    FROM item
    WHERE kind = 'file'
    GROUP BY content_hash
),

content_classes AS (
    SELECT
        hash(layers) AS class,
        any_value(layers) AS layers,
        sum(size_bytes)::BIGINT AS weight,
        list(size_bytes) AS sizes
    FROM contents
    GROUP BY layers
),

layer_images AS (
    SELECT DISTINCT layer, image_id FROM stack WHERE layer IS NOT NULL
),

unit_images AS (
    SELECT DISTINCT 'compressed' AS granularity, image_blobs.blob AS unit, image_blobs.image_id
    FROM scan_image_layers AS image_blobs
    WHERE image_blobs.image_id IN (SELECT image_id FROM stack)
    UNION ALL
    SELECT DISTINCT 'unpacked', chain_id, image_id FROM stack
    UNION ALL
    SELECT DISTINCT 'content', class::VARCHAR, layer_images.image_id
    FROM (SELECT class, unnest(layers) AS layer FROM content_classes) AS classes
    JOIN layer_images USING (layer)
),

weights AS (
    SELECT 'compressed' AS granularity, blob AS unit, [max(compressed_bytes)] AS sizes
    FROM blobs
    GROUP BY blob
    UNION ALL
    SELECT 'unpacked', node.chain_id, [coalesce(layers.content_bytes, 0)]
    FROM node
    LEFT JOIN layers USING (layer)
    UNION ALL
    SELECT 'content', class::VARCHAR, sizes FROM content_classes
),

referenced AS (
    SELECT granularity, unit, count(*) AS images FROM unit_images GROUP BY granularity, unit
),

-- quotients are whole bytes; remainders are summed exactly in a common denominator
unit_shares AS (
    SELECT
        granularity,
        unit,
        images,
        list_sum(sizes)::HUGEINT AS weight,
        (list_sum(sizes)::HUGEINT // images) AS whole,
        (list_sum(sizes)::HUGEINT % images) AS remainder
    FROM referenced
    JOIN weights USING (granularity, unit)
),

image_shares AS (
    SELECT
        granularity,
        image_id,
        sum(CASE WHEN images = 1 THEN weight ELSE 0 END) AS exclusive_bytes,
        sum(whole) AS whole,
        sum(remainder * (share_scale() // images)) AS rest
    FROM unit_images
    JOIN unit_shares USING (granularity, unit)
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
    SELECT granularity, sum(weight) AS weight FROM unit_shares GROUP BY granularity
),

ranked AS (
    SELECT
        floored.*,
        missing.weight - sum(floor_bytes) OVER (PARTITION BY granularity) AS left_over,
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
