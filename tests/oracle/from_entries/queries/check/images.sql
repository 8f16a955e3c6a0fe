-- Question: How many bytes of each image's own layers, without base layers, are shadowed?
-- Grain:    one row per image; cache images are left out
-- Params:   $base_images  VARCHAR[]  IDs of images whose layers are base layers of all others too
--           $base_layers  VARCHAR[]  keys of further base layers, at any position
--           $ignored      VARCHAR    regular expression of paths that count as live; null for none
-- Columns:  image                   VARCHAR    name of the image
--           names                   VARCHAR[]  sorted
--           image_id                VARCHAR    config digest as computed
--           digest                  VARCHAR    smallest manifest digest; null if none
--           content_bytes           BIGINT     files of its own layers; null if the image is
--                                              incomplete
--           shadowed_bytes          BIGINT     of these, bytes that are shadowed; null if the image
--                                              is incomplete
--           efficiency              DOUBLE     (content - shadowed) / content; 1 if both are 0;
--                                              null if the image is incomplete
--           shadowed_percent        DOUBLE     100 - 100 × efficiency; null if the image is
--                                              incomplete
--           upper_shadowed_bytes    BIGINT     the same for its own layers above the lowest layer;
--                                              null if the image is incomplete
--           upper_shadowed_percent  DOUBLE     percent of the content of these layers; null if the
--                                              image is incomplete
--           base_shadowed_bytes     BIGINT     files of base layers that its own layers hide; null
--                                              if the image is incomplete
--           codes                   VARCHAR[]  problems because of which the image is incomplete;
--                                              empty if it is complete
-- Source:   docs/check.md, "Rules"; docs/measures.md, "Bytes of one image",
--           "Rules that cannot judge"
WITH own_node AS (
    SELECT * FROM own_nodes('node', 'stack', $base_images, $base_layers)
),

contents AS (
    SELECT
        stack.image_id,
        sum(layers.content_bytes) FILTER (WHERE own_node.is_own) AS content_bytes,
        sum(layers.content_bytes) FILTER (
            WHERE own_node.is_own AND own_node.position > 0
        ) AS upper_bytes
    FROM stack
    JOIN own_node USING (chain_id)
    JOIN layers ON layers.layer = own_node.layer
    GROUP BY stack.image_id
),

node_shadows AS (
    SELECT
        shadow.chain_id,
        sum(shadow.size_bytes) FILTER (WHERE counts_as('own', added, hider)) AS own_bytes,
        sum(shadow.size_bytes) FILTER (WHERE counts_as('upper', added, hider)) AS upper_bytes,
        sum(shadow.size_bytes) FILTER (WHERE counts_as('base', added, hider)) AS base_bytes
    FROM shadow
    JOIN own_node AS hider ON hider.chain_id = shadow.chain_id
    JOIN own_node AS added ON added.chain_id = shadow.added_chain
    WHERE NOT coalesce(regexp_full_match(shadow.path, $ignored), FALSE)
    GROUP BY shadow.chain_id
),

shadows AS (
    SELECT
        stack.image_id,
        sum(node_shadows.own_bytes) AS own_bytes,
        sum(node_shadows.upper_bytes) AS upper_bytes,
        sum(node_shadows.base_bytes) AS base_bytes
    FROM stack
    JOIN node_shadows USING (chain_id)
    GROUP BY stack.image_id
),

reasons AS (
    SELECT image_id, list_sort(list(DISTINCT code)) AS codes FROM unread GROUP BY image_id
),

sums AS (
    SELECT
        image.*,
        coalesce(reasons.codes, []) AS codes,
        coalesce(contents.content_bytes, 0)::BIGINT AS content_bytes,
        coalesce(contents.upper_bytes, 0)::BIGINT AS upper_content_bytes,
        coalesce(shadows.own_bytes, 0)::BIGINT AS shadowed_bytes,
        coalesce(shadows.upper_bytes, 0)::BIGINT AS upper_shadowed_bytes,
        coalesce(shadows.base_bytes, 0)::BIGINT AS base_shadowed_bytes
    FROM image
    LEFT JOIN contents USING (image_id)
    LEFT JOIN shadows USING (image_id)
    LEFT JOIN reasons USING (image_id)
    WHERE NOT image.is_cache
)

SELECT
    name AS image,
    names,
    image_id,
    digest,
    if(complete, content_bytes, NULL) AS content_bytes,
    if(complete, shadowed_bytes, NULL) AS shadowed_bytes,
    if(
        complete,
        coalesce((content_bytes - shadowed_bytes)::DOUBLE / nullif(content_bytes, 0), 1),
        NULL
    ) AS efficiency,
    if(
        complete, coalesce(100 * shadowed_bytes::DOUBLE / nullif(content_bytes, 0), 0), NULL
    ) AS shadowed_percent,
    if(complete, upper_shadowed_bytes, NULL) AS upper_shadowed_bytes,
    if(
        complete,
        coalesce(100 * upper_shadowed_bytes::DOUBLE / nullif(upper_content_bytes, 0), 0),
        NULL
    ) AS upper_shadowed_percent,
    if(complete, base_shadowed_bytes, NULL) AS base_shadowed_bytes,
    codes
FROM sums
ORDER BY shadowed_bytes DESC NULLS LAST, image, image_id;
