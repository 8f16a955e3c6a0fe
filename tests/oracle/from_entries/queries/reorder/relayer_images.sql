-- Question: Which images does a search for other layers consider, and how large is each today?
-- Grain:    one row per image; cache images and incomplete ones are left out
-- Params:   none
-- Columns:  number         INTEGER  number of the image in relayer_classes
--           image_id       VARCHAR  config digest as computed
--           name           VARCHAR  name of the image
--           layers         INTEGER  number of layers today
--           content_bytes  BIGINT   content of all its layers
--           bottom_chain   VARCHAR  chain ID of its lowest layer; null without layers
-- Source:   docs/measures.md, "Image", "Incomplete images"
WITH sums AS (
    SELECT
        stack.image_id,
        sum(layers.content_bytes) AS content_bytes,
        arg_min(stack.chain_id, stack.position) AS bottom_chain
    FROM stack
    JOIN layers USING (layer)
    GROUP BY stack.image_id
)

SELECT
    numbered_image.number,
    numbered_image.image_id,
    image.name,
    image.layers,
    coalesce(sums.content_bytes, 0)::BIGINT AS content_bytes,
    sums.bottom_chain
FROM numbered_image
JOIN image USING (image_id)
LEFT JOIN sums USING (image_id)
ORDER BY numbered_image.number;
