-- Question: Which sources, images and layers make the view larger than the sources were at another
--           scan?
-- Grain:    one row per source that grew, and per new source, image and chain node
-- Params:   $baseline  VARCHAR  the other scan's ID
-- Columns:  what       VARCHAR  source, image, layer (chain node)
--           change     VARCHAR  appeared, grew
--           name       VARCHAR  name; of a layer, its build step, null if the config gives none
--           old_bytes  BIGINT   stored bytes of a source; null if it was not there, and for others
--           new_bytes  BIGINT   stored bytes of a source, content of an image or layer
--           new_id     VARCHAR  image ID or chain ID; null for a source
-- Source:   docs/check.md, "Rules"; docs/measures.md, "Which scans answer"
WITH before AS (
    SELECT source, scan FROM answering_at('span', $baseline)
),

grown AS (
    SELECT scan_sources.source, scan_sources.stored_bytes, old.stored_bytes AS old_bytes
    FROM scan_sources
    LEFT JOIN before USING (source)
    LEFT JOIN sources AS old ON old.source = before.source AND old.scan = before.scan
    ANTI JOIN first_seen
        ON first_seen.source = scan_sources.source AND first_seen.scan > $baseline
    WHERE scan_sources.stored_bytes > coalesce(old.stored_bytes, -1)
),

-- Images and layers of all sources of the view that are compared.
compared AS (
    SELECT source
    FROM scan_sources
    ANTI JOIN first_seen
        ON first_seen.source = scan_sources.source AND first_seen.scan > $baseline
),

old_layers AS (
    SELECT DISTINCT image_layers.image_id, image_layers.chain_id
    FROM image_layers
    JOIN before USING (source, scan)
),

new_places AS (
    SELECT
        image_id,
        position,
        chain_id,
        created_by,
        coalesce(layers.content_bytes, 0) AS content_bytes
    FROM scan_image_layers
    JOIN compared USING (source)
    LEFT JOIN layers USING (layer)
),

sizes AS (
    SELECT image_id, sum(content_bytes) AS content_bytes
    FROM (
        SELECT image_id, position, max(content_bytes) AS content_bytes
        FROM new_places
        GROUP BY image_id, position
    ) AS positions
    GROUP BY image_id
),

old_images AS (
    SELECT DISTINCT images.image_id
    FROM images
    JOIN before USING (source, scan)
    WHERE images.kind = 'image'
),

new_images AS (
    SELECT image_id, coalesce(min(list_min(names)), min(digest), image_id) AS name
    FROM scan_images
    JOIN compared USING (source)
    WHERE kind = 'image' AND image_id NOT IN (SELECT image_id FROM old_images)
    GROUP BY image_id
),

changes AS (
    SELECT
        'source' AS what,
        CASE WHEN old_bytes IS NULL THEN 'appeared' ELSE 'grew' END AS change,
        source AS name,
        old_bytes,
        stored_bytes AS new_bytes,
        NULL::VARCHAR AS new_id
    FROM grown
    UNION ALL
    SELECT
        'image', 'appeared', new_images.name, NULL, coalesce(sizes.content_bytes, 0), image_id
    FROM new_images
    LEFT JOIN sizes USING (image_id)
    UNION ALL
    SELECT 'layer', 'appeared', min(created_by), NULL, max(content_bytes), chain_id
    FROM new_places
    ANTI JOIN old_layers USING (chain_id)
    GROUP BY chain_id
)

SELECT
    what,
    change,
    name,
    old_bytes::BIGINT AS old_bytes,
    new_bytes::BIGINT AS new_bytes,
    new_id
FROM changes
ORDER BY list_position(['source', 'image', 'layer'], what), new_bytes DESC, name, new_id;
