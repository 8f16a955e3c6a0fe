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

-- Unpacked copies: containerd keeps one per namespace and snapshotter, and some drivers keep in
-- each the files of all layers below it too.
copies AS (
    SELECT
        source,
        path,
        subject AS chain_id,
        dense_rank() OVER (PARTITION BY source, subject ORDER BY coalesce(scope, '')) AS copy,
        CASE WHEN form = 'full-tree' THEN file_bytes END AS full_bytes
    FROM scan_disk
    WHERE kind = 'layer' AND form IN ('tree', 'full-tree') AND subject IS NOT NULL
),

copy_images AS (
    SELECT DISTINCT copies.chain_id, copies.copy, scan_holds.name AS image_id
    FROM copies
    JOIN scan_holds USING (source, path)
    WHERE scan_holds.kind = 'image'
),

full_trees AS (
    SELECT chain_id, copy, max(full_bytes) AS full_bytes FROM copies GROUP BY chain_id, copy
),

-- An image of which no copy is known, as it is not unpacked, needs the first one.
placed AS (
    SELECT stack.chain_id, coalesce(copy_images.copy, 1) AS copy, stack.image_id
    FROM stack
    LEFT JOIN copy_images USING (chain_id, image_id)
),

chains AS (
    SELECT
        coalesce(
            any_value(full_trees.full_bytes), any_value(layers.content_bytes)
        ) AS weight,
        list_sort(list(DISTINCT placed.image_id)) AS images
    FROM placed
    JOIN node USING (chain_id)
    LEFT JOIN layers ON layers.layer = node.layer
    LEFT JOIN full_trees
        ON full_trees.chain_id = placed.chain_id AND full_trees.copy = placed.copy
    GROUP BY placed.chain_id, placed.copy
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
