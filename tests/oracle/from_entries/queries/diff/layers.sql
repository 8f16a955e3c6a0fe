-- Question: Which layers do two images share, and which does only one of them have?
-- Grain:    one row per (position, image); the session holds only the two images
-- Params:   $old  VARCHAR  image ID
--           $new  VARCHAR  image ID
-- Columns:  position          INTEGER  layer index, 0 = base
--           side              VARCHAR  old or new
--           shared            VARCHAR  chain: the other image has it on the same parents; layer: on
--                                      other parents; no: not at all
--           diff_id           VARCHAR  as the config claims it
--           content_bytes     BIGINT   logical size of its regular files; null if unknown
--           compressed_bytes  BIGINT   size of its smallest blob; null if no source keeps one
--           created_by        VARCHAR  build step; null if the config gives none
-- Source:   docs/measures.md, "Layer and diff ID", "Chain ID"
WITH sides AS (
    SELECT 'old' AS side, $old::VARCHAR AS image_id, $new::VARCHAR AS other
    UNION ALL
    SELECT 'new', $new, $old
),

blobs AS (
    SELECT image_id, position, min(compressed_bytes) AS compressed_bytes
    FROM scan_image_layers
    GROUP BY image_id, position
)

SELECT
    stack.position,
    sides.side,
    CASE
        WHEN bool_or(others.chain_id = stack.chain_id) THEN 'chain'
        WHEN bool_or(others.layer = stack.layer) THEN 'layer'
        ELSE 'no'
    END AS shared,
    any_value(stack.diff_id) AS diff_id,
    any_value(layers.content_bytes) AS content_bytes,
    any_value(blobs.compressed_bytes) AS compressed_bytes,
    any_value(stack.created_by) AS created_by
FROM sides
JOIN stack USING (image_id)
LEFT JOIN stack AS others ON others.image_id = sides.other
LEFT JOIN layers ON layers.layer = stack.layer
LEFT JOIN blobs ON blobs.image_id = stack.image_id AND blobs.position = stack.position
GROUP BY stack.position, sides.side
ORDER BY stack.position, sides.side DESC;
