-- Question: Which sources hold these images, with which names, and what else do those sources hold?
-- Grain:    one row per (source, image)
-- Params:   $images  VARCHAR[]  image IDs
-- Columns:  source    VARCHAR    location
--           kind      VARCHAR    format
--           image_id  VARCHAR    config digest as computed
--           names     VARCHAR[]  in this source, sorted
--           digests   VARCHAR[]  manifest digests in this source, sorted
--           store_id  VARCHAR    ID under which podman lists it; null for other stores
--           others    VARCHAR[]  names or IDs of the other images, artifacts and caches in this
--                                source
-- Source:   docs/usage.md, "dedupe what-if"
WITH held AS (
    SELECT
        source,
        image_id,
        list_sort(list_distinct(flatten(list(names)))) AS names,
        list_sort(coalesce(list(DISTINCT digest) FILTER (WHERE digest IS NOT NULL), []))
            AS digests,
        min(store_id) AS store_id
    FROM scan_images
    WHERE kind = 'image' AND list_contains($images::VARCHAR[], image_id)
    GROUP BY source, image_id
),

others AS (
    SELECT
        source,
        list_sort(list(DISTINCT coalesce(names[1], digest, image_id))) AS others
    FROM scan_images
    WHERE
        kind IN ('image', 'artifact', 'cache')
        AND (image_id IS NULL OR NOT list_contains($images::VARCHAR[], image_id))
    GROUP BY source
)

SELECT
    held.source,
    scan_sources.kind,
    held.image_id,
    held.names,
    held.digests,
    held.store_id,
    coalesce(others.others, []) AS others
FROM held
JOIN scan_sources USING (source)
LEFT JOIN others USING (source)
ORDER BY held.source, held.names, held.image_id;
