-- Question: Which shadowed files count against these images?
-- Grain:    one row per (hiding chain ID, file), largest first
-- Params:   $images       VARCHAR[]  IDs of the images
--           $held         VARCHAR    which files count: own (of own layers), upper (of own layers
--                                    above the lowest) or base (of base layers, hidden by own
--                                    layers)
--           $base_images  VARCHAR[]  as in check/images
--           $base_layers  VARCHAR[]  as in check/images
--           $ignored      VARCHAR    as in check/images; may be null
--           $most         BIGINT     maximum number of rows
-- Columns:  size_bytes       BIGINT   logical size
--           cause            VARCHAR  as in shadowed_files
--           image            VARCHAR  name of one of these images
--           images           BIGINT   images that share this chain node
--           added_position   INTEGER  index of the layer that added it
--           hidden_position  INTEGER  index of the layer that hid it
--           path             VARCHAR  the name that was hidden last
-- Source:   docs/check.md, "Rules"; docs/measures.md, "What hides a file"
WITH base_chains AS (
    SELECT DISTINCT chain_id FROM stack WHERE list_contains($base_images, image_id)
),

places AS (
    SELECT
        node.*,
        base_chains.chain_id IS NULL AND NOT coalesce(
            list_contains($base_layers, node.layer), FALSE
        ) AS is_own
    FROM node
    LEFT JOIN base_chains USING (chain_id)
),

chosen AS (
    SELECT chain_id, min(image_id) AS image_id
    FROM stack
    WHERE list_contains($images, image_id)
    GROUP BY chain_id
)

SELECT
    shadow.size_bytes,
    shadow.cause,
    coalesce(image.names[1], image.digest, image.image_id) AS image,
    hider.images,
    added.position AS added_position,
    hider.position AS hidden_position,
    shadow.path
FROM shadow
JOIN chosen ON chosen.chain_id = shadow.chain_id
JOIN image ON image.image_id = chosen.image_id
JOIN places AS hider ON hider.chain_id = shadow.chain_id
JOIN places AS added ON added.chain_id = shadow.added_chain
WHERE
    CASE $held
        WHEN 'base' THEN hider.is_own AND NOT added.is_own
        WHEN 'upper' THEN added.is_own AND added.position > 0
        ELSE added.is_own
    END
    AND NOT coalesce(regexp_full_match(shadow.path, $ignored), FALSE)
ORDER BY
    shadow.size_bytes DESC,
    image,
    shadow.path,
    hidden_position,
    added_position,
    shadow.chain_id,
    shadow.member
LIMIT $most;
