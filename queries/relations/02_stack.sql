-- Question: Which layer is at which position of which image?
-- Grain:    one row per (image, position); cache images are left out
-- Params:   none
-- Columns:  image_id    VARCHAR  config digest as computed
--           position    INTEGER  layer index, 0 = base
--           diff_id     VARCHAR  as the config claims it
--           layer       VARCHAR  key of the layer's rows; null if they are unknown; rows that a
--                                quick scan listed only if no image has others
--           chain_id    VARCHAR  the layer in its place
--           created_by  VARCHAR  its build step
-- Source:   docs/measures.md, "Position", "Chain ID"
--
-- A listed layer is that of its chain ID that is believed most: of two scans of one layer, the
-- quick one may be the later.
-- Most images have one row per layer. Only for the others, rows must be chosen.
WITH repeated AS (
    SELECT image_id
    FROM scan_image_layers
    GROUP BY image_id
    HAVING count(*) <> count(DISTINCT position)
),

placed AS (
    SELECT image_id, position, diff_id, layer, chain_id, created_by
    FROM scan_image_layers
    ANTI JOIN repeated USING (image_id)
    WHERE image_id IN (SELECT image_id FROM image WHERE NOT is_cache)
    UNION ALL
    SELECT image_id, position, diff_id, layer, chain_id, created_by
    FROM scan_image_layers
    SEMI JOIN repeated USING (image_id)
    WHERE image_id IN (SELECT image_id FROM image WHERE NOT is_cache)
    QUALIFY
        row_number() OVER (PARTITION BY image_id, position ORDER BY doubt_of(layer), source) = 1
),

listed AS (
    SELECT DISTINCT chain_id FROM placed WHERE is_listed(layer)
),

believed AS (
    SELECT chain_id, arg_min(layer, (doubt_of(layer), layer)) AS layer
    FROM placed
    SEMI JOIN listed USING (chain_id)
    GROUP BY chain_id
)

SELECT
    placed.image_id,
    placed.position,
    placed.diff_id,
    coalesce(if(is_listed(placed.layer), believed.layer, NULL), placed.layer) AS layer,
    placed.chain_id,
    placed.created_by
FROM placed
LEFT JOIN believed USING (chain_id);
