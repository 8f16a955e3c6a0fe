-- Question: Which images and artifacts hold units, in an order in which those that share layers are
--           neighbours?
-- Grain:    one row per image or artifact; cache images are left out, and artifacts without blobs
-- Params:   none
-- Columns:  number  INTEGER  1, 2, 3 …
--           holder  VARCHAR  image ID; manifest digest of what is not an image
-- Source:   docs/measures.md, "Units and granularities", "Cache image"
--
-- Images with a lower part of their chains in common are neighbours, and among these, images with
-- names that begin alike. So the images that hold a unit are few spans of numbers, and no list of
-- images is needed.
WITH first_names AS (
    SELECT stack.chain_id, min(image.own_name) AS name
    FROM stack
    JOIN image USING (image_id)
    GROUP BY stack.chain_id
),

stacks AS (
    SELECT
        stack.image_id AS holder,
        list((first_names.name, stack.chain_id) ORDER BY stack.position) AS chain
    FROM stack
    JOIN first_names USING (chain_id)
    GROUP BY stack.image_id
),

holders AS (
    SELECT image_id AS holder FROM image WHERE NOT is_cache
    UNION
    SELECT holder
    FROM scan_held_blobs
    WHERE holder NOT IN (SELECT image_id FROM image WHERE is_cache)
)

SELECT
    row_number() OVER (ORDER BY stacks.chain NULLS LAST, holders.holder)::INTEGER AS number,
    holders.holder
FROM holders
LEFT JOIN stacks USING (holder)
ORDER BY number;
