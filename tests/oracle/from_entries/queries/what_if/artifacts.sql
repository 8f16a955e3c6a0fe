-- Question: Which artifacts are deleted, alone or with these images, and what else do their sources
--           hold?
-- Grain:    one row per (source, artifact)
-- Params:   $images  VARCHAR[]  image IDs, and manifest digests of artifacts
-- Columns:  source        VARCHAR    location
--           kind          VARCHAR    format of the source
--           chosen        BOOLEAN    it is one of the artifacts; else it is deleted with the images
--           type          VARCHAR    artifact, attestation, cache or index
--           artifact_id   VARCHAR    manifest digest
--           name          VARCHAR    first name, else manifest digest
--           names         VARCHAR[]  in this source, sorted
--           media_type    VARCHAR    its type; null in scans of earlier programs
--           stored_bytes  BIGINT     its blobs in this source; null if it keeps none
--           others        VARCHAR[]  names or IDs of the images, artifacts and caches that stay in
--                                    this source
-- Source:   docs/usage.md, "dedupe what-if"
--
-- What is deleted with images is listed for registries only: tools of other stores do that
-- themselves.
WITH found AS (
    SELECT
        scan_images.source,
        scan_sources.kind,
        list_contains($images::VARCHAR[], scan_images.digest) AS chosen,
        scan_images.kind AS type,
        scan_images.digest AS artifact_id,
        list_sort(scan_images.names) AS names,
        scan_images.media_type,
        scan_images.stored_bytes,
        len(coalesce(scan_images.held_by, [])) > 0
        AND list_has_all($images::VARCHAR[], coalesce(scan_images.held_by, []))
        AND scan_sources.kind = 'registry' AS goes_along
    FROM scan_images
    JOIN scan_sources USING (source)
    WHERE scan_images.kind <> 'image' AND scan_images.kind <> 'absent'
),

others AS (
    SELECT
        source,
        list_sort(list(DISTINCT coalesce(names[1], digest, image_id))) AS others
    FROM scan_images
    WHERE
        kind IN ('image', 'artifact', 'cache')
        AND NOT coalesce(list_contains($images::VARCHAR[], image_id), FALSE)
        AND NOT (kind <> 'image' AND list_contains($images::VARCHAR[], digest))
    GROUP BY source
)

SELECT
    found.source,
    found.kind,
    found.chosen,
    found.type,
    found.artifact_id,
    coalesce(found.names[1], found.artifact_id) AS name,
    found.names,
    found.media_type,
    found.stored_bytes,
    coalesce(others.others, []) AS others
FROM found
LEFT JOIN others USING (source)
WHERE found.chosen OR found.goes_along
ORDER BY found.source, found.type <> 'index', name, found.artifact_id;
