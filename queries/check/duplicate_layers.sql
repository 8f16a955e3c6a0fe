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
    WHERE kind = 'file' AND NOT coalesce(regexp_full_match(path, $ignored), FALSE)
),

sums AS (
    SELECT layer, sum(size_bytes)::BIGINT AS repeated_bytes, count(*) AS files
    FROM files
    WHERE copies > 1
    GROUP BY layer
    HAVING sum(size_bytes) > 0
),

places AS (
    SELECT
        layer,
        sum(images)::BIGINT AS images,
        arg_min(struct_pack(position, image_id, created_by), chain_id) AS place
    FROM node
    GROUP BY layer
)

SELECT
    sums.repeated_bytes,
    sums.files,
    places.images,
    places.place.position,
    coalesce(image.names[1], image.digest, image.image_id) AS image,
    places.place.created_by AS step
FROM sums
JOIN places USING (layer)
JOIN image ON image.image_id = places.place.image_id
ORDER BY sums.repeated_bytes DESC, sums.layer
LIMIT $most;
