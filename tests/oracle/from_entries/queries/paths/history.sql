-- Question: How many bytes did each build step of the image add and hide, and how many are live?
-- Grain:    one row per layer, base first; the session holds only one image
-- Params:   none
-- Columns:  position          INTEGER  layer index, 0 = base
--           diff_id           VARCHAR  diff ID as the config claims it
--           added_bytes       BIGINT   its content_bytes; null if it was not read
--           shadowed_bytes    BIGINT   of these, bytes that an upper layer, or a later member of
--                                      the layer itself, hides; null if it or a layer above it was
--                                      not read
--           live_bytes        BIGINT   added - shadowed; null if shadowed is unknown
--           hides_bytes       BIGINT   bytes of layers below that it hides for good; null if it or
--                                      a layer below it was not read
--           compressed_bytes  BIGINT   size of its smallest blob; null if no source keeps one
--           files             BIGINT   number of regular files; null if it was not read
--           marks             BIGINT   number of whiteouts and opaque marks; null if it was not
--                                      read
--           created_by        VARCHAR  build step; null if the config gives none
-- Source:   docs/measures.md, "Bytes of one image", "Incomplete images"
WITH hidden AS (
    SELECT
        stack.image_id, shadow.added_position AS position, sum(shadow.size_bytes) AS shadowed_bytes
    FROM shadow
    JOIN stack USING (chain_id)
    GROUP BY stack.image_id, shadow.added_position
),

hiders AS (
    SELECT stack.image_id, stack.position, sum(shadow.size_bytes) AS hides_bytes
    FROM shadow
    JOIN stack USING (chain_id)
    WHERE shadow.added_position < shadow.position
    GROUP BY stack.image_id, stack.position
),

blobs AS (
    SELECT image_id, position, min(compressed_bytes) AS compressed_bytes
    FROM scan_image_layers
    GROUP BY image_id, position
),

marked AS (
    SELECT layer, count(*) AS marks
    FROM item
    WHERE is_mark(kind)
    GROUP BY layer
),

-- Whether each layer with all layers above it, and with all layers below it, could be read.
places AS (
    SELECT
        *,
        bool_and(layer IS NOT NULL) OVER (
            PARTITION BY image_id ORDER BY position
            ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
        ) AS is_read_above,
        bool_and(layer IS NOT NULL) OVER (
            PARTITION BY image_id ORDER BY position
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS is_read_below
    FROM stack
)

SELECT
    places.position,
    places.diff_id,
    layers.content_bytes AS added_bytes,
    if(is_read_above, coalesce(hidden.shadowed_bytes, 0), NULL)::BIGINT AS shadowed_bytes,
    if(
        is_read_above, layers.content_bytes - coalesce(hidden.shadowed_bytes, 0), NULL
    )::BIGINT AS live_bytes,
    if(is_read_below, coalesce(hiders.hides_bytes, 0), NULL)::BIGINT AS hides_bytes,
    blobs.compressed_bytes,
    layers.files,
    if(places.layer IS NULL, NULL, coalesce(marked.marks, 0)) AS marks,
    places.created_by
FROM places
LEFT JOIN layers USING (layer)
LEFT JOIN hidden USING (image_id, position)
LEFT JOIN hiders USING (image_id, position)
LEFT JOIN blobs USING (image_id, position)
LEFT JOIN marked USING (layer)
ORDER BY places.image_id, places.position;
