-- Question: Which layers add and hide most of the bytes that count against these images, and what
--           is the fix?
-- Grain:    one row per (adding chain ID, hiding chain ID), most bytes first
-- Params:   $images       VARCHAR[]  IDs of the images
--           $held         VARCHAR    as in check/paths
--           $base_images  VARCHAR[]  as in check/images
--           $base_layers  VARCHAR[]  as in check/images
--           $ignored      VARCHAR    as in check/images; may be null
--           $most         BIGINT     maximum number of rows
-- Columns:  shadowed_bytes   BIGINT   bytes that one layer added and the other hid
--           files            BIGINT   number of these files
--           image            VARCHAR  name of one of these images
--           images           BIGINT   images that share the hiding chain node
--           added_position   INTEGER  index of the layer that added them
--           added_by         VARCHAR  build step of that layer; null if the config gives none
--           hidden_position  INTEGER  index of the layer that hid them
--           hidden_by        VARCHAR  build step of that layer; null if the config gives none
--           fix              VARCHAR  fix for the largest part of them
-- Source:   docs/check.md, "Rules"; docs/findings.md
WITH own_node AS (
    SELECT * FROM own_nodes('node', 'stack', $base_images, $base_layers)
),

chosen AS (
    SELECT chain_id, min(image_id) AS image_id
    FROM stack
    WHERE list_contains($images, image_id)
    GROUP BY chain_id
),

sums AS (
    SELECT
        shadow.chain_id,
        shadow.added_chain,
        sum(shadow.size_bytes)::BIGINT AS shadowed_bytes,
        count(*) AS files,
        bool_and(shadow.cause IS NOT NULL) AS is_compared
    FROM shadow
    JOIN own_node AS hider ON hider.chain_id = shadow.chain_id
    JOIN own_node AS added ON added.chain_id = shadow.added_chain
    WHERE
        counts_as($held, added, hider)
        AND NOT coalesce(regexp_full_match(shadow.path, $ignored), FALSE)
    GROUP BY shadow.chain_id, shadow.added_chain
    HAVING sum(shadow.size_bytes) > 0
),

fixes AS (
    SELECT chain_id, other_chain, arg_max(fix, (size_bytes, fix)) AS fix
    FROM hidden_finding
    GROUP BY chain_id, other_chain
)

SELECT
    sums.shadowed_bytes,
    sums.files,
    image.name AS image,
    hider.images,
    added.position AS added_position,
    added.created_by AS added_by,
    hider.position AS hidden_position,
    hider.created_by AS hidden_by,
    -- if a quick scan did not compare contents, other files may need another fix
    if(sums.is_compared, fixes.fix, NULL) AS fix
FROM sums
JOIN chosen ON chosen.chain_id = sums.chain_id
JOIN image ON image.image_id = chosen.image_id
JOIN node AS hider ON hider.chain_id = sums.chain_id
JOIN node AS added ON added.chain_id = sums.added_chain
LEFT JOIN fixes
    ON fixes.chain_id = sums.chain_id AND fixes.other_chain = sums.added_chain
ORDER BY sums.shadowed_bytes DESC, image, added_position, hidden_position, sums.chain_id
LIMIT $most;
