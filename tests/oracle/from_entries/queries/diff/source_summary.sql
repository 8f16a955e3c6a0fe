-- Question: How much do two groups of sources both hold, and how much does only one of them hold?
-- Grain:    one row per granularity
-- Params:   $first   VARCHAR[]  locations of sources
--           $second  VARCHAR[]  locations of sources
-- Columns:  granularity   VARCHAR  image, compressed (blob), layer, unpacked (chain node), content
--           shared        BIGINT   units that both hold
--           only_first    BIGINT   units that only the first holds
--           only_second   BIGINT   units that only the second holds
--           shared_bytes  BIGINT   weight of shared units, each once; of an image, all its layers
--           first_bytes   BIGINT   weight of units that only the first holds
--           second_bytes  BIGINT   weight of units that only the second holds
-- Source:   docs/measures.md, "Units and granularities"
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
        image_layers.chain_id,
        image_layers.blob,
        image_layers.compressed_bytes,
        coalesce(layers.content_bytes, 0) AS content_bytes,
        sides.is_first,
        sides.is_second
    FROM scan_image_layers AS image_layers
    JOIN sides USING (source)
    LEFT JOIN layers USING (layer)
    WHERE sides.is_first OR sides.is_second
),

image_sizes AS (
    SELECT image_id, sum(content_bytes) AS content_bytes
    FROM (
        SELECT image_id, position, max(content_bytes) AS content_bytes
        FROM places
        GROUP BY image_id, position
    ) AS positions
    GROUP BY image_id
),

-- Layers have many contents, so each layer's sides are found once, before its contents are joined.
layer_sides AS (
    SELECT
        layer,
        bool_or(is_first) AS is_first,
        bool_or(is_second) AS is_second,
        max(content_bytes) AS content_bytes
    FROM places
    WHERE layer IS NOT NULL
    GROUP BY layer
),

units AS (
    SELECT
        'image' AS granularity,
        scan_images.image_id AS unit,
        coalesce(image_sizes.content_bytes, 0)::BIGINT AS weight,
        sides.is_first,
        sides.is_second
    FROM scan_images
    JOIN sides USING (source)
    LEFT JOIN image_sizes USING (image_id)
    WHERE scan_images.kind = 'image' AND (sides.is_first OR sides.is_second)
    UNION ALL
    SELECT 'compressed', blob, compressed_bytes, is_first, is_second
    FROM places
    WHERE blob IS NOT NULL AND compressed_bytes IS NOT NULL
    UNION ALL
    SELECT 'layer', layer, content_bytes, is_first, is_second FROM layer_sides
    UNION ALL
    SELECT 'unpacked', chain_id, content_bytes, is_first, is_second
    FROM places
    WHERE layer IS NOT NULL
    UNION ALL
    SELECT 'content', hex(entries.content_hash), entries.size_bytes, is_first, is_second
    FROM entries
    JOIN layer_sides USING (layer)
    WHERE
        entries.kind = 'file'
        -- without the contents of one layer, nothing is known of what the sources share
        AND NOT (SELECT coalesce(bool_or(is_listed(each.layer)), FALSE) FROM layer_sides AS each)
),

held AS (
    SELECT
        granularity,
        unit,
        max(weight) AS weight,
        bool_or(is_first) AS is_first,
        bool_or(is_second) AS is_second
    FROM units
    GROUP BY granularity, unit
)

SELECT
    granularity,
    count(*) FILTER (WHERE is_first AND is_second) AS shared,
    count(*) FILTER (WHERE NOT is_second) AS only_first,
    count(*) FILTER (WHERE NOT is_first) AS only_second,
    coalesce(sum(weight) FILTER (WHERE is_first AND is_second), 0)::BIGINT AS shared_bytes,
    coalesce(sum(weight) FILTER (WHERE NOT is_second), 0)::BIGINT AS first_bytes,
    coalesce(sum(weight) FILTER (WHERE NOT is_first), 0)::BIGINT AS second_bytes
FROM held
GROUP BY granularity
ORDER BY list_position(['image', 'compressed', 'layer', 'unpacked', 'content'], granularity);
