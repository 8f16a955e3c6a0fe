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
--           cause            VARCHAR  as in shadowed_files; null if contents were not compared
--           image            VARCHAR  name of one of these images
--           images           BIGINT   images that share this chain node
--           added_position   INTEGER  index of the layer that added it
--           hidden_position  INTEGER  index of the layer that hid it
--           path             VARCHAR  the name that was hidden last
-- Source:   docs/check.md, "Rules"; docs/measures.md, "What hides a file"
WITH own_node AS (
    SELECT * FROM own_nodes('node', 'stack', $base_images, $base_layers)
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
    image.name AS image,
    hider.images,
    added.position AS added_position,
    hider.position AS hidden_position,
    shadow.path
FROM shadow
JOIN chosen ON chosen.chain_id = shadow.chain_id
JOIN image ON image.image_id = chosen.image_id
JOIN own_node AS hider ON hider.chain_id = shadow.chain_id
JOIN own_node AS added ON added.chain_id = shadow.added_chain
WHERE
    counts_as($held, added, hider)
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
