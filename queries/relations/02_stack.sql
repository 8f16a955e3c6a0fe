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
WITH placed AS (
    SELECT image_id, position, diff_id, layer, chain_id, created_by
    FROM scan_image_layers
    WHERE image_id IN (SELECT image_id FROM image WHERE NOT is_cache)
    QUALIFY
        row_number() OVER (PARTITION BY image_id, position ORDER BY doubt_of(layer), source) = 1
)

SELECT
    image_id,
    position,
    diff_id,
    CASE
        WHEN is_listed(layer) THEN first_value(layer) OVER (
            PARTITION BY chain_id ORDER BY doubt_of(layer), layer
        )
        ELSE layer
    END AS layer,
    chain_id,
    created_by
FROM placed
ORDER BY image_id, position;
