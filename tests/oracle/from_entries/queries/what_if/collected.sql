-- Question: How many bytes does "registry garbage-collect -m" free in each registry?
-- Grain:    one row per registry on a disk
-- Params:   none
-- Columns:  source           VARCHAR  location
--           images           BIGINT   manifests of images without a tag
--           collected_bytes  BIGINT   freed: what only manifests without a tag need, and what
--                                     nothing references; null if that is unknown
--           orphan_bytes     BIGINT   of these, what nothing references; null if that is unknown
-- Source:   docs/measures.md, "What the disk gives back"; docs/usage.md, "dedupe what-if"
WITH registries AS (
    SELECT source, unseen_references FROM scan_sources WHERE kind = 'registry'
),

untagged AS (
    SELECT
        source,
        CASE WHEN kind = 'image' THEN image_id ELSE 'artifact:' || digest END AS holder,
        kind
    FROM scan_images
    WHERE
        kind IN ('image', 'artifact', 'attestation', 'cache')
        AND source IN (SELECT source FROM registries)
    GROUP BY source, holder, kind
    HAVING bool_and(len(tags_in(names)) = 0)
),

untagged_sets AS (
    SELECT
        source,
        list(holder) AS holders,
        count(*) FILTER (WHERE kind = 'image') AS images
    FROM untagged
    GROUP BY source
),

held AS (
    SELECT
        source,
        path,
        list(CASE WHEN kind = 'image' THEN name ELSE kind || ':' || name END) AS holders
    FROM scan_holds
    GROUP BY source, path
),

freed AS (
    SELECT places.source, sum(places.allocated_bytes) AS bytes
    FROM scan_disk AS places
    JOIN held USING (source, path)
    JOIN untagged_sets
        ON untagged_sets.source = places.source
        AND list_has_all(untagged_sets.holders, held.holders)
    GROUP BY places.source
),

orphans AS (
    SELECT source, sum(allocated_bytes) AS bytes
    FROM scan_disk
    WHERE kind = 'orphan'
    GROUP BY source
)

SELECT
    registries.source,
    coalesce(untagged_sets.images, 0) AS images,
    CASE
        WHEN registries.unseen_references IS NULL
            THEN (coalesce(freed.bytes, 0) + coalesce(orphans.bytes, 0))::BIGINT
    END AS collected_bytes,
    CASE
        WHEN registries.unseen_references IS NULL THEN coalesce(orphans.bytes, 0)::BIGINT
    END AS orphan_bytes
FROM registries
LEFT JOIN untagged_sets USING (source)
LEFT JOIN freed USING (source)
LEFT JOIN orphans USING (source)
WHERE registries.source IN (SELECT source FROM scan_disk)
ORDER BY registries.source;
