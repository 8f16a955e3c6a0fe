-- Question: Which sources hold these images, with which names, and what else do those sources hold?
-- Grain:    one row per (source, image), children before their recorded parents
-- Params:   $images  VARCHAR[]  image IDs
-- Columns:  source    VARCHAR    location
--           kind      VARCHAR    format
--           image_id  VARCHAR    config digest as computed
--           names     VARCHAR[]  in this source, sorted
--           digests   VARCHAR[]  manifest digests in this source, sorted
--           store_ids  VARCHAR[]  IDs under which podman lists it, sorted; empty for other stores
--           namespaced  VARCHAR[]  containerd's records of it, NAMESPACE/NAME, sorted; empty for
--                                  other stores
--           driver     VARCHAR    folder of the unpacked layers, which podman names its driver by;
--                                 null if it is overlay, and for other stores
--           depth     BIGINT     number of recorded parents of parents
--           goes_along  BOOLEAN  the store deletes it with the last of its children
--           others    VARCHAR[]  names or IDs of the other images, artifacts and caches in this
--                                source
-- Source:   docs/usage.md, "dedupe what-if"
WITH RECURSIVE held AS (
    SELECT
        source,
        image_id,
        list_sort(list_distinct(flatten(list(names)))) AS names,
        list_sort(coalesce(list(DISTINCT digest) FILTER (WHERE digest IS NOT NULL), []))
            AS digests,
        list_sort(coalesce(list(DISTINCT store_id) FILTER (WHERE store_id IS NOT NULL), []))
            AS store_ids,
        list_sort(list_distinct(flatten(list(coalesce(namespaced, []))))) AS namespaced
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
),

ancestry AS (
    SELECT source, image_id, parent_id FROM scan_images WHERE parent_id IS NOT NULL
    UNION
    SELECT ancestry.source, ancestry.image_id, scan_images.parent_id
    FROM ancestry
    JOIN scan_images
        ON scan_images.source = ancestry.source AND scan_images.image_id = ancestry.parent_id
    WHERE scan_images.parent_id IS NOT NULL
),

depths AS (
    SELECT source, image_id, count(*) AS depth FROM ancestry GROUP BY source, image_id
),

keeping AS (
    SELECT source, image_id, bool_or(keeper = image_id) AS keeps_itself
    FROM keeper
    GROUP BY source, image_id
),

drivers AS (
    SELECT source, min(split_part(path, '/', 1)) AS driver
    FROM scan_disk
    WHERE kind = 'layer' AND form IN ('tree', 'full-tree')
    GROUP BY source
)

SELECT
    held.source,
    scan_sources.kind,
    held.image_id,
    held.names,
    held.digests,
    held.store_ids,
    held.namespaced,
    CASE
        WHEN scan_sources.kind = 'containers-storage' AND drivers.driver <> 'overlay'
            THEN drivers.driver
    END AS driver,
    coalesce(depths.depth, 0) AS depth,
    NOT coalesce(keeping.keeps_itself, TRUE) AS goes_along,
    coalesce(others.others, []) AS others
FROM held
JOIN scan_sources USING (source)
LEFT JOIN others USING (source)
LEFT JOIN depths USING (source, image_id)
LEFT JOIN keeping USING (source, image_id)
LEFT JOIN drivers USING (source)
ORDER BY held.source, depth DESC, held.names, held.image_id;
