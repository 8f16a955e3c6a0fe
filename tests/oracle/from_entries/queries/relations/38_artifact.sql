-- Question: Which artifacts, attestations and build caches are there, each once for all its names
--           and sources?
-- Grain:    one row per manifest that is not an image
-- Params:   none
-- Columns:  artifact_id   VARCHAR    manifest digest
--           kind          VARCHAR    artifact, attestation or cache
--           media_type    VARCHAR    its type: artifactType, else that of its config or content;
--                                    null in scans of earlier programs
--           names         VARCHAR[]  all names in all sources, sorted
--           name          VARCHAR    the first of them, else the manifest digest
--           subject       VARCHAR    manifest that it is about; null if it does not say
--           about         VARCHAR[]  names of the images that it is about, sorted
--           held_by       VARCHAR[]  IDs of the images that it is deleted with, sorted
--           sources       VARCHAR[]  locations, sorted
--           stored_bytes  BIGINT     its blobs in the source that has most of them; null if it is
--                                    not known
-- Source:   docs/measures.md, "Artifact"
WITH found AS (
    SELECT
        digest AS artifact_id,
        min(kind) AS kind,
        min(media_type) AS media_type,
        list_sort(list_distinct(flatten(list(names)))) AS names,
        min(subject) AS subject,
        list_sort(list_distinct(flatten(list(coalesce(held_by, []))))) AS held_by,
        list_sort(list(DISTINCT source)) AS sources,
        max(stored_bytes) AS stored_bytes
    FROM scan_images
    WHERE kind IN ('artifact', 'attestation', 'cache') AND digest IS NOT NULL
    GROUP BY digest
),

subjects AS (
    SELECT digest, list_sort(list_distinct(flatten(list(names)))) AS about
    FROM scan_images
    WHERE kind IN ('image', 'index') AND digest IS NOT NULL
    GROUP BY digest
)

SELECT
    found.artifact_id,
    found.kind,
    found.media_type,
    found.names,
    coalesce(found.names[1], found.artifact_id) AS name,
    found.subject,
    coalesce(subjects.about, []) AS about,
    found.held_by,
    found.sources,
    found.stored_bytes
FROM found
LEFT JOIN subjects ON subjects.digest = found.subject
ORDER BY found.artifact_id;
