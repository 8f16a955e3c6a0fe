-- Question: Which layers hold the most files whose content is stored elsewhere too?
-- Grain:    one row per layer, most bytes first
-- Params:   $ignored  VARCHAR  as in check/store; may be null
--           $most     BIGINT   maximum number of rows
-- Columns:  repeated_bytes  BIGINT   its files whose content has another copy; does not add up
--           files           BIGINT   number of these files
--           images          BIGINT   images that hold the layer
--           position        INTEGER  layer index in one of them
--           image           VARCHAR  name of that image
--           step            VARCHAR  build step of the layer in that image; null if the config
--                                    gives none
-- Source:   docs/check.md, "Rules"; docs/measures.md, "Duplicate content"
WITH files AS (
    SELECT layer, size_bytes, count(*) OVER (PARTITION BY content_hash) AS copies
    FROM item
    WHERE
        kind = 'file'
        AND NOT is_listed(layer)
        AND NOT coalesce(regexp_full_match(path, $ignored), FALSE)
),

sums AS (
    SELECT layer, sum(size_bytes)::BIGINT AS repeated_bytes, count(*) AS files
    FROM files
    WHERE copies > 1
    GROUP BY layer
    HAVING sum(size_bytes) > 0
),

layer_images AS (
    SELECT layer, sum(images)::BIGINT AS images FROM node GROUP BY layer
)

SELECT
    sums.repeated_bytes,
    sums.files,
    layer_images.images,
    node.position,
    image.name AS image,
    node.created_by AS step
FROM sums
JOIN layer_images USING (layer)
JOIN node ON node.layer = sums.layer AND node.is_first
JOIN image ON image.image_id = node.image_id
ORDER BY sums.repeated_bytes DESC, sums.layer
LIMIT $most;
