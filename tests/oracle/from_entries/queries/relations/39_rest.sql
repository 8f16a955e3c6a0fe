-- Question: How many bytes of blobs and archives are neither those of a unit nor known to be
--           unreferenced?
-- Grain:    one row
-- Params:   none
-- Columns:  bytes  BIGINT  blobs that nothing listed needs, while references of their source are
--                          unseen; blobs that only cache images need; headers and padding of
--                          archives; null if no source has blobs
-- Source:   docs/measures.md, "Groups"
WITH holdings AS (
    SELECT coalesce(blob, diff_id) AS unit, image_id AS holder, compressed_bytes AS bytes
    FROM scan_image_layers
    WHERE compressed_bytes IS NOT NULL
    UNION ALL
    SELECT blob, holder, stored_bytes FROM scan_held_blobs
),

of_caches AS (
    SELECT max(holdings.bytes) AS bytes
    FROM holdings
    LEFT JOIN image ON image.image_id = holdings.holder
    WHERE holdings.unit IS NOT NULL
    GROUP BY holdings.unit
    HAVING bool_and(coalesce(image.is_cache, FALSE))
)

SELECT (sum(bytes) FILTER (WHERE is_source) + sum(bytes) FILTER (WHERE NOT is_source))::BIGINT
    AS bytes
FROM (
    SELECT TRUE AS is_source, rest_blob_bytes AS bytes FROM scan_sources
    UNION ALL
    SELECT FALSE, bytes FROM of_caches
    UNION ALL
    SELECT FALSE, 0
) AS parts;
