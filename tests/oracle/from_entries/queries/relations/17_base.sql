-- Question: On which other image is each image built?
-- Grain:    one row per image; cache images are left out, as images and as bases
-- Params:   none
-- Columns:  image_id       VARCHAR    config digest as computed
--           base_chain     VARCHAR    longest chain that is the whole of another image and the
--                                     lower part of this one; null if there is none
--           base_position  INTEGER    position of its top layer
--           base_images    VARCHAR[]  the images that end at that chain, sorted
--           base_name      VARCHAR    the smallest of their names
-- Source:   docs/measures.md, "Chain ID", "Groups"
WITH wholes AS (
    SELECT top_chain, list_sort(list(image_id)) AS images, min(name) AS name
    FROM image
    WHERE NOT is_cache AND top_chain IS NOT NULL
    GROUP BY top_chain
),

prefixes AS (
    SELECT
        stack.image_id,
        arg_max(stack.chain_id, stack.position) AS base_chain,
        max(stack.position) AS base_position
    FROM stack
    JOIN image USING (image_id)
    JOIN wholes ON wholes.top_chain = stack.chain_id
    WHERE stack.chain_id <> image.top_chain
    GROUP BY stack.image_id
)

SELECT
    image.image_id,
    prefixes.base_chain,
    prefixes.base_position,
    wholes.images AS base_images,
    wholes.name AS base_name
FROM image
LEFT JOIN prefixes USING (image_id)
LEFT JOIN wholes ON wholes.top_chain = prefixes.base_chain
WHERE NOT image.is_cache
ORDER BY image.image_id;
