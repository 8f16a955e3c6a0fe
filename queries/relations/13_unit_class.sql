-- Question: Which sets of images reference the same units, and what do these weigh?
-- Grain:    one row per (granularity, set of images); unreferenced units are left out, and all
--           contents if a quick scan left some unread
-- Params:   none
-- Columns:  granularity    VARCHAR    compressed, unpacked or content
--           images         VARCHAR[]  IDs of the images, and digests of the artifacts, that
--                                     reference each of these units, sorted
--           units          BIGINT     number of these units
--           unknown_units  BIGINT     of these, layers that could not be read: they weigh nothing
--           bytes          HUGEINT    weight of the others, each unit once
-- Source:   docs/measures.md, "Units and granularities", "Incomplete images"
WITH image_blobs AS (
    -- Some formats give no digest for a blob. These blobs are plain tars, and the digest of a plain
    -- tar is its diff ID.
    SELECT coalesce(blob, diff_id) AS unit, image_id, compressed_bytes
    FROM scan_image_layers
    WHERE compressed_bytes IS NOT NULL AND image_id IN (SELECT image_id FROM stack)
    UNION ALL
    -- Documents of images, and what artifacts consist of.
    SELECT blob, holder, stored_bytes
    FROM scan_held_blobs
    WHERE holder NOT IN (SELECT image_id FROM image WHERE is_cache)
),

blobs AS (
    SELECT max(compressed_bytes) AS weight, list_sort(list(DISTINCT image_id)) AS images
    FROM image_blobs
    WHERE unit IS NOT NULL
    GROUP BY unit
),

chains AS (
    SELECT
        any_value(layers.content_bytes) AS weight,
        list_sort(list(DISTINCT stack.image_id)) AS images
    FROM stack
    JOIN node USING (chain_id)
    LEFT JOIN layers ON layers.layer = node.layer
    GROUP BY stack.chain_id
),

-- Contents in the same set of layers are referenced by the same images, so they are grouped by that
-- set before any image is looked up.
contents AS (
    SELECT
        content_hash,
        any_value(size_bytes) AS size_bytes,
        list_sort(list(DISTINCT layer)) AS layers
    FROM item
    WHERE kind = 'file' AND NOT EXISTS (SELECT 1 FROM node WHERE is_listed(node.layer))
    GROUP BY content_hash
),

content_sets AS (
    SELECT layers, count(*) AS units, sum(size_bytes) AS weight FROM contents GROUP BY layers
),

numbered AS (
    SELECT *, row_number() OVER (ORDER BY layers) AS number FROM content_sets
),

content_images AS (
    SELECT spread.number, list_sort(list(DISTINCT stack.image_id)) AS images
    FROM (SELECT number, unnest(layers) AS layer FROM numbered) AS spread
    JOIN stack USING (layer)
    GROUP BY spread.number
),

units AS (
    SELECT 'compressed' AS granularity, images, 1 AS units, weight::HUGEINT AS weight FROM blobs
    UNION ALL
    SELECT 'unpacked', images, 1, weight::HUGEINT FROM chains
    UNION ALL
    SELECT 'content', content_images.images, numbered.units, numbered.weight::HUGEINT
    FROM numbered
    JOIN content_images USING (number)
)

SELECT
    granularity,
    images,
    sum(units)::BIGINT AS units,
    count(*) FILTER (WHERE weight IS NULL) AS unknown_units,
    coalesce(sum(weight), 0) AS bytes
FROM units
GROUP BY granularity, images
ORDER BY granularity, images;
