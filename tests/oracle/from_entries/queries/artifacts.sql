-- Question: Which charts, models, signatures, attestations and build caches are stored beside
--           images, and how large are they?
-- Grain:    one row per manifest that is not an image
-- Params:   none
-- Columns:  name           VARCHAR    first name, else manifest digest
--           kind           VARCHAR    artifact, attestation or cache (a build cache)
--           media_type     VARCHAR    artifactType, else the type of its config or content; null
--                                     in scans of earlier programs
--           stored_bytes   BIGINT     its blobs in the source that has most of them; null if it is
--                                     not known
--           freed_bytes    BIGINT     blobs that nothing else needs: freed by deleting it alone;
--                                     null if it is deleted with an image, or not known
--           about          VARCHAR[]  names of the images that it is about, sorted
--           deleted_with   VARCHAR[]  names of the images whose index it is in, sorted
--           names          VARCHAR[]  all names in all sources, sorted
--           artifact_id    VARCHAR    manifest digest
--           subject        VARCHAR    manifest that it is about; null if it does not say
--           sources        VARCHAR[]  locations, sorted
-- Source:   docs/measures.md, "Artifact"
WITH holdings AS (
    SELECT blob, holder, stored_bytes FROM scan_held_blobs
    UNION ALL
    SELECT coalesce(blob, diff_id), image_id, compressed_bytes
    FROM scan_image_layers
    WHERE compressed_bytes IS NOT NULL
),

alone AS (
    SELECT any_value(holder) AS holder, max(stored_bytes) AS bytes
    FROM holdings
    WHERE blob IS NOT NULL
    GROUP BY blob
    HAVING count(DISTINCT holder) = 1
),

freed AS (
    SELECT holder, sum(bytes)::BIGINT AS bytes FROM alone GROUP BY holder
),

holders AS (
    SELECT DISTINCT holder FROM scan_held_blobs
),

deleted AS (
    SELECT spread.artifact_id, list_sort(list(DISTINCT image.name)) AS names
    FROM (SELECT artifact_id, unnest(held_by) AS image_id FROM artifact) AS spread
    JOIN image USING (image_id)
    GROUP BY spread.artifact_id
)

SELECT
    artifact.name,
    artifact.kind,
    artifact.media_type,
    artifact.stored_bytes,
    CASE WHEN holders.holder IS NOT NULL THEN coalesce(freed.bytes, 0) END AS freed_bytes,
    artifact.about,
    coalesce(deleted.names, []) AS deleted_with,
    artifact.names,
    artifact.artifact_id,
    artifact.subject,
    artifact.sources
FROM artifact
LEFT JOIN holders ON holders.holder = artifact.artifact_id
LEFT JOIN freed ON freed.holder = artifact.artifact_id
LEFT JOIN deleted USING (artifact_id)
ORDER BY artifact.stored_bytes DESC NULLS LAST, artifact.name, artifact.artifact_id;
