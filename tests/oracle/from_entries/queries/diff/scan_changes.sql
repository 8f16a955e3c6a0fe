-- Question: Which sources, images, names and layers changed between two scans?
-- Grain:    one row per source, image, name or layer that differs
-- Params:   $old  VARCHAR  a scan's ID
--           $new  VARCHAR  a scan's ID
-- Columns:  what        VARCHAR  source, image, name (of an image in both scans, or one that moved
--                                to another image), layer (chain node)
--           change      VARCHAR  appeared, gone, grew, shrank, moved
--           name        VARCHAR  name; of a layer, its build step, null if the config gives none
--           old_bytes   BIGINT   stored bytes of a source, content of an image or layer; null if
--                                not in the old scan, or if an image is incomplete
--           new_bytes   BIGINT   the same at the new scan; null if not in the new scan, or if an
--                                image is incomplete
--           old_id      VARCHAR  image ID or chain ID; null for a source, or if not in the old scan
--           new_id      VARCHAR  image ID or chain ID; null for a source, or if not in the new scan
--           source      VARCHAR  location of a source or a name; null for others
-- Source:   docs/measures.md, "Bytes of the whole scan"
WITH old_sources AS (
    SELECT source, stored_bytes FROM sources WHERE scan = $old
),

new_sources AS (
    SELECT source, stored_bytes FROM sources WHERE scan = $new
),

source_changes AS (
    SELECT
        'source' AS what,
        CASE
            WHEN old.source IS NULL THEN 'appeared'
            WHEN new.source IS NULL THEN 'gone'
            WHEN new.stored_bytes > old.stored_bytes THEN 'grew'
            ELSE 'shrank'
        END AS change,
        coalesce(new.source, old.source) AS name,
        old.stored_bytes AS old_bytes,
        new.stored_bytes AS new_bytes,
        NULL::VARCHAR AS old_id,
        NULL::VARCHAR AS new_id,
        coalesce(new.source, old.source) AS source
    FROM old_sources AS old
    FULL JOIN new_sources AS new ON new.source = old.source
    WHERE old.stored_bytes IS DISTINCT FROM new.stored_bytes
),

places AS (
    SELECT DISTINCT image_layers.image_id, image_layers.position, layers.content_bytes
    FROM image_layers
    LEFT JOIN layers USING (layer)
    WHERE image_layers.scan IN ($old, $new)
),

sizes AS (
    SELECT
        image_id,
        if(bool_and(content_bytes IS NOT NULL), sum(content_bytes), NULL)::BIGINT AS content_bytes,
        TRUE AS has_layers
    FROM (
        SELECT image_id, position, max(content_bytes) AS content_bytes
        FROM places
        GROUP BY image_id, position
    ) AS positions
    GROUP BY image_id
),

seen_images AS (
    SELECT
        images.image_id,
        bool_or(images.scan = $old) AS was,
        bool_or(images.scan = $new) AS is_there,
        coalesce(
            min(list_min(images.names)), min(images.digest), images.image_id
        ) AS name,
        if(
            any_value(sizes.has_layers) IS NULL, 0, any_value(sizes.content_bytes)
        ) AS content_bytes
    FROM images
    LEFT JOIN sizes USING (image_id)
    WHERE images.scan IN ($old, $new) AND images.kind = 'image'
    GROUP BY images.image_id
),

image_changes AS (
    SELECT
        'image',
        CASE WHEN was THEN 'gone' ELSE 'appeared' END,
        name,
        CASE WHEN was THEN content_bytes END,
        CASE WHEN is_there THEN content_bytes END,
        CASE WHEN was THEN image_id END,
        CASE WHEN is_there THEN image_id END,
        NULL
    FROM seen_images
    WHERE was <> is_there
),

named AS (
    SELECT DISTINCT scan, source, image_id, unnest(names) AS name
    FROM images
    WHERE scan IN ($old, $new) AND kind = 'image'
),

-- A name can have one image per platform. Pairs of name and image that both scans have are no
-- change.
removed AS (
    SELECT old.source, old.name, old.image_id
    FROM named AS old
    ANTI JOIN named AS same
        ON same.scan = $new
        AND same.source = old.source
        AND same.name = old.name
        AND same.image_id = old.image_id
    WHERE old.scan = $old
),

added AS (
    SELECT new.source, new.name, new.image_id
    FROM named AS new
    ANTI JOIN named AS same
        ON same.scan = $old
        AND same.source = new.source
        AND same.name = new.name
        AND same.image_id = new.image_id
    WHERE new.scan = $new
),

name_moves AS (
    SELECT
        coalesce(removed.source, added.source) AS source,
        coalesce(removed.name, added.name) AS name,
        removed.image_id AS old_id,
        added.image_id AS new_id
    FROM removed
    FULL JOIN added ON added.source = removed.source AND added.name = removed.name
),

-- Names of an image that is reported itself, as appeared or deleted, are not reported again.
name_changes AS (
    SELECT
        'name',
        CASE
            WHEN name_moves.old_id IS NULL THEN 'appeared'
            WHEN name_moves.new_id IS NULL THEN 'gone'
            ELSE 'moved'
        END,
        name_moves.name,
        old.content_bytes AS old_bytes,
        new.content_bytes AS new_bytes,
        name_moves.old_id,
        name_moves.new_id,
        name_moves.source
    FROM name_moves
    LEFT JOIN seen_images AS old ON old.image_id = name_moves.old_id
    LEFT JOIN seen_images AS new ON new.image_id = name_moves.new_id
    WHERE
        (name_moves.old_id IS NOT NULL AND name_moves.new_id IS NOT NULL)
        OR coalesce(old.was AND old.is_there, new.was AND new.is_there)
),

seen_layers AS (
    SELECT
        image_layers.chain_id,
        bool_or(image_layers.scan = $old) AS was,
        bool_or(image_layers.scan = $new) AS is_there,
        min(image_layers.created_by) AS created_by,
        coalesce(max(layers.content_bytes), 0) AS content_bytes
    FROM image_layers
    LEFT JOIN layers USING (layer)
    WHERE image_layers.scan IN ($old, $new) AND image_layers.layer IS NOT NULL
    GROUP BY image_layers.chain_id
),

layer_changes AS (
    SELECT
        'layer',
        CASE WHEN was THEN 'gone' ELSE 'appeared' END,
        created_by,
        CASE WHEN was THEN content_bytes END,
        CASE WHEN is_there THEN content_bytes END,
        CASE WHEN was THEN chain_id END,
        CASE WHEN is_there THEN chain_id END,
        NULL
    FROM seen_layers
    WHERE was <> is_there
),

changes AS (
    SELECT * FROM source_changes
    UNION ALL
    SELECT * FROM image_changes
    UNION ALL
    SELECT * FROM name_changes
    UNION ALL
    SELECT * FROM layer_changes
)

SELECT
    what,
    change,
    name,
    old_bytes,
    new_bytes,
    old_id,
    new_id,
    source
FROM changes
ORDER BY
    list_position(['source', 'image', 'name', 'layer'], what),
    greatest(coalesce(old_bytes, 0), coalesce(new_bytes, 0)) DESC,
    name,
    source,
    old_id,
    new_id;
