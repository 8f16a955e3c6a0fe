-- Question: Which chain nodes (layers in their place) exist, and how many images contain each?
-- Grain:    one row per chain ID
-- Params:   none
-- Columns:  chain_id    VARCHAR  the layer in its place
--           parent      VARCHAR  chain ID below it; null for a base
--           layer       VARCHAR  key of the layer's rows; null if no image has them
--           position    INTEGER  layer index, 0 = base
--           images      BIGINT   images whose stack contains it
--           image_id    VARCHAR  the smallest image ID of them
--           created_by  VARCHAR  its build step in that image
--           is_first    BOOLEAN  the smallest chain ID of its layer
--           is_windows  BOOLEAN  all images that contain it are of Windows
-- Source:   docs/measures.md, "Chain ID"; OCI image-spec config.md, "Layer ChainID"
WITH placed AS (
    SELECT
        stack.*,
        lag(stack.chain_id) OVER (PARTITION BY stack.image_id ORDER BY stack.position) AS parent,
        coalesce(starts_with(image.platform, 'windows/'), FALSE) AS is_windows
    FROM stack
    JOIN image USING (image_id)
)

SELECT
    chain_id,
    any_value(parent) AS parent,
    arg_min(layer, (doubt_of(layer), layer)) AS layer,
    any_value(position) AS position,
    count(*) AS images,
    min(image_id) AS image_id,
    arg_min(created_by, image_id) AS created_by,
    chain_id = min(chain_id) OVER (
        PARTITION BY arg_min(layer, (doubt_of(layer), layer))
    ) AS is_first,
    bool_and(is_windows) AS is_windows
FROM placed
GROUP BY chain_id
ORDER BY chain_id;
