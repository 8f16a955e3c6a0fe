-- Question: Which layers do images share, from the base up?
-- Grain:    one row per chain ID
-- Params:   none
-- Columns:  chain_id       VARCHAR    the chain node
--           parent         VARCHAR    chain ID below it; null for a base
--           position       INTEGER    layer index, 0 = base
--           diff_id        VARCHAR    diff ID of the layer; null if it was not read
--           content_bytes  BIGINT     logical size of its regular files; null if it was not read
--           images         BIGINT     images that contain it
--           created_by     VARCHAR    build step; null if the config gives none
--           ends           VARCHAR[]  names of the images that end here
-- Source:   docs/measures.md, "Chain ID"
WITH ends AS (
    SELECT
        top_chain AS chain_id,
        list_sort(list(name)) AS ends
    FROM image
    WHERE NOT is_cache
    GROUP BY top_chain
),

claimed AS (
    SELECT chain_id, min(diff_id) AS diff_id FROM stack GROUP BY chain_id
)

SELECT
    node.chain_id,
    node.parent,
    node.position,
    coalesce(
        layers.diff_id, if(is_listed(node.layer), claimed.diff_id, NULL), node.layer
    ) AS diff_id,
    layers.content_bytes,
    node.images,
    node.created_by,
    coalesce(ends.ends, []) AS ends
FROM node
LEFT JOIN layers USING (layer)
LEFT JOIN ends USING (chain_id)
LEFT JOIN claimed USING (chain_id)
ORDER BY node.position, coalesce(layers.content_bytes, 0) DESC, node.chain_id;
