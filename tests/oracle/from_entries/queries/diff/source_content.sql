-- Question: Which images and layers do two groups of sources hold, and is each in both or in one?
-- Grain:    one row per image, and per distinct layer
-- Params:   $first   VARCHAR[]  locations of sources
--           $second  VARCHAR[]  locations of sources
-- Columns:  what              VARCHAR  image or layer
--           held_by           VARCHAR  both, first, second
--           name              VARCHAR  first name of an image; of a layer, its build step, null if
--                                      the config gives none
--           content_bytes     BIGINT   content of all layers of an image, or of the layer; null if
--                                      a layer of the image was not read
--           compressed_bytes  BIGINT   size of the smallest blobs; null if no source keeps one
--           id                VARCHAR  image ID; diff ID of the layer, or its key
-- Source:   docs/measures.md, "Image", "Layer and diff ID"
WITH sides AS (
    SELECT
        source,
        list_contains($first::VARCHAR[], source) AS is_first,
        list_contains($second::VARCHAR[], source) AS is_second
    FROM scan_sources
),

places AS (
    SELECT
        image_layers.image_id,
        image_layers.position,
        image_layers.layer,
        min(image_layers.compressed_bytes) AS compressed_bytes,
        min(image_layers.created_by) AS created_by,
        max(layers.content_bytes) AS content_bytes,
        bool_or(sides.is_first) AS is_first,
        bool_or(sides.is_second) AS is_second
    FROM scan_image_layers AS image_layers
    JOIN sides USING (source)
    LEFT JOIN layers USING (layer)
    WHERE sides.is_first OR sides.is_second
    GROUP BY image_layers.image_id, image_layers.position, image_layers.layer
),

image_sizes AS (
    SELECT
        image_id,
        if(bool_and(layer IS NOT NULL), sum(content_bytes), NULL)::BIGINT AS content_bytes,
        TRUE AS has_layers,
        sum(compressed_bytes)::BIGINT AS compressed_bytes
    FROM places
    GROUP BY image_id
),

things AS (
    SELECT
        'image' AS what,
        bool_or(sides.is_first) AS is_first,
        bool_or(sides.is_second) AS is_second,
        coalesce(min(list_min(scan_images.names)), min(scan_images.digest), scan_images.image_id)
            AS name,
        if(
            any_value(image_sizes.has_layers) IS NULL, 0, any_value(image_sizes.content_bytes)
        ) AS content_bytes,
        any_value(image_sizes.compressed_bytes) AS compressed_bytes,
        scan_images.image_id AS id
    FROM scan_images
    JOIN sides USING (source)
    LEFT JOIN image_sizes USING (image_id)
    WHERE scan_images.kind = 'image' AND (sides.is_first OR sides.is_second)
    GROUP BY scan_images.image_id
    UNION ALL
    SELECT
        'layer',
        bool_or(places.is_first),
        bool_or(places.is_second),
        min(places.created_by),
        coalesce(max(places.content_bytes), 0),
        min(places.compressed_bytes),
        places.layer
    FROM places
    WHERE places.layer IS NOT NULL
    GROUP BY places.layer
)

SELECT
    what,
    CASE
        WHEN is_first AND is_second THEN 'both' WHEN is_first THEN 'first' ELSE 'second'
    END AS held_by,
    name,
    content_bytes,
    compressed_bytes,
    id
FROM things
ORDER BY
    what,
    list_position(['first', 'second', 'both'], held_by),
    content_bytes DESC NULLS LAST,
    name,
    id;
