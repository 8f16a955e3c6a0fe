-- Question: Which images are built on another image, and what do they share with it?
-- Grain:    one row per image whose chain starts with the whole of another image
-- Params:   none
-- Columns:  image         VARCHAR    name of the image
--           base          VARCHAR    name of the longest such image; the smallest name if several
--                                    images end there
--           base_images   BIGINT     images that end at the same chain
--           base_layers   INTEGER    layers of the base
--           layers        INTEGER    layers of the image
--           shared_bytes  BIGINT     content of the base's layers; null if one was not read
--           added_bytes   BIGINT     content of the layers above; null if one was not read
--           image_id      VARCHAR    config digest as computed
--           base_chain    VARCHAR    chain ID of the base
-- Source:   docs/measures.md, "Chain ID"
WITH sizes AS (
    SELECT
        stack.image_id,
        sum(content_bytes) FILTER (WHERE stack.position <= base.base_position) AS shared_bytes,
        sum(content_bytes) FILTER (WHERE stack.position > base.base_position) AS added_bytes,
        count(*) FILTER (
            WHERE stack.position <= base.base_position AND stack.layer IS NULL
        ) AS unread_shared,
        count(*) FILTER (
            WHERE stack.position > base.base_position AND stack.layer IS NULL
        ) AS unread_added
    FROM base
    JOIN stack USING (image_id)
    LEFT JOIN layers USING (layer)
    GROUP BY stack.image_id
)

SELECT
    image.name AS image,
    base.base_name AS base,
    len(base.base_images) AS base_images,
    base.base_position + 1 AS base_layers,
    image.layers,
    if(unread_shared = 0, coalesce(sizes.shared_bytes, 0), NULL)::BIGINT AS shared_bytes,
    if(unread_added = 0, coalesce(sizes.added_bytes, 0), NULL)::BIGINT AS added_bytes,
    base.image_id,
    base.base_chain
FROM base
JOIN image USING (image_id)
JOIN sizes USING (image_id)
WHERE base.base_chain IS NOT NULL
ORDER BY base, shared_bytes DESC NULLS LAST, image, base.image_id;
