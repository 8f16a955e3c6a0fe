-- Question: Which images take part in a new division into layers, and what are they like today?
-- Grain:    one row per image; cache images and incomplete ones are left out
-- Params:   none
-- Columns:  number         INTEGER  as relayer_classes names the image
--           image_id       VARCHAR  config digest as computed
--           name           VARCHAR  for people
--           layers         INTEGER  layers today
--           content_bytes  BIGINT   of all its layers
--           bottom_chain   VARCHAR  its lowest layer; null without layers
-- Source:   MEASURES.md, "image"
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
    coalesce(image.names[1], image.digest, image.image_id) AS name,
    image.layers,
    coalesce(sums.content_bytes, 0)::BIGINT AS content_bytes,
    sums.bottom_chain
FROM numbered_image
JOIN image USING (image_id)
LEFT JOIN sums USING (image_id)
ORDER BY numbered_image.number;
