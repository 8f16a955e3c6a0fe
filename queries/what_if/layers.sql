-- Question: Which layers of these images go, which stay, and who keeps them?
-- Grain:    one row per layer in its place (chain ID) that one of the images runs through
-- Params:   $images  VARCHAR[]  image IDs
-- Columns:  freed           BOOLEAN    no other image runs through it
--           diff_id         VARCHAR    as claimed
--           chain_id        VARCHAR    the layer in its place
--           position        INTEGER    layer index, 0 = base
--           content_bytes   BIGINT     logical size of its files
--           blob_stays      BOOLEAN    another image holds the same layer, here or in another place
--           kept_by_images  BIGINT     other images that run through it
--           kept_by         VARCHAR[]  names of the first ten of them, sorted
--           created_by      VARCHAR    build step
-- Source:   MEASURES.md, "chain ID", "exclusive(S)"
WITH labels AS (
    SELECT image_id, coalesce(names[1], digest, image_id) AS name FROM image
),

places AS (
    SELECT
        stack.chain_id,
        any_value(stack.diff_id) AS diff_id,
        any_value(coalesce(stack.layer, stack.diff_id)) AS layer,
        any_value(stack.position) AS position,
        min(stack.created_by) AS created_by,
        list_sort(list(labels.name) FILTER (
            WHERE NOT list_contains($images::VARCHAR[], stack.image_id)
        )) AS keepers
    FROM stack
    JOIN labels USING (image_id)
    GROUP BY stack.chain_id
    HAVING bool_or(list_contains($images::VARCHAR[], stack.image_id))
),

staying AS (
    SELECT DISTINCT coalesce(layer, diff_id) AS layer
    FROM stack
    WHERE NOT list_contains($images::VARCHAR[], image_id)
)

SELECT
    coalesce(len(places.keepers), 0) = 0 AS freed,
    places.diff_id,
    places.chain_id,
    places.position,
    coalesce(layers.content_bytes, 0) AS content_bytes,
    coalesce(
        places.layer IN (SELECT layer FROM staying WHERE layer IS NOT NULL), FALSE
    ) AS blob_stays,
    coalesce(len(places.keepers), 0) AS kept_by_images,
    coalesce(places.keepers[1:10], []) AS kept_by,
    places.created_by
FROM places
LEFT JOIN layers USING (layer)
ORDER BY freed, content_bytes DESC, places.chain_id;
