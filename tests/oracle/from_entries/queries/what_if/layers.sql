-- Question: Which layers of these images would be freed, which stay, and which images keep them?
-- Grain:    one row per chain node that one of the images contains
-- Params:   $images  VARCHAR[]  image IDs
-- Columns:  freed           BOOLEAN    no other image contains it
--           diff_id         VARCHAR    diff ID as the config claims it
--           chain_id        VARCHAR    the chain node
--           position        INTEGER    layer index, 0 = base
--           content_bytes   BIGINT     logical size of its files; null if it was not read
--           blob_stays      BOOLEAN    another image has the same layer, on the same or another
--                                      parent
--           kept_by_images  BIGINT     number of other images that contain it
--           kept_by         VARCHAR[]  names of the first ten of them, sorted
--           created_by      VARCHAR    build step; null if the config gives none
-- Source:   docs/measures.md, "Chain ID", "Exclusive bytes"
WITH places AS (
    SELECT
        stack.chain_id,
        any_value(stack.diff_id) AS diff_id,
        any_value(coalesce(stack.layer, stack.diff_id)) AS layer,
        any_value(stack.position) AS position,
        min(stack.created_by) AS created_by,
        list_sort(list(image.name) FILTER (
            WHERE NOT list_contains($images::VARCHAR[], stack.image_id)
        )) AS keepers
    FROM stack
    JOIN image USING (image_id)
    GROUP BY stack.chain_id
    HAVING bool_or(list_contains($images::VARCHAR[], stack.image_id))
),

-- A blob stays in a registry if any other image has the layer, whatever its parents.
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
    layers.content_bytes,
    coalesce(
        places.layer IN (SELECT layer FROM staying WHERE layer IS NOT NULL), FALSE
    ) AS blob_stays,
    coalesce(len(places.keepers), 0) AS kept_by_images,
    coalesce(places.keepers[1:10], []) AS kept_by,
    places.created_by
FROM places
LEFT JOIN layers USING (layer)
ORDER BY freed, coalesce(layers.content_bytes, 0) DESC, places.chain_id;
