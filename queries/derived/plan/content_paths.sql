-- Question: Which paths have the contents with most bytes in copies?
-- Grain:    one row per content of the new layers with so many bytes in copies that its paths are
--           kept
-- Params:   none
-- Columns:  content  UUID       first half of the content hash
--           paths    VARCHAR[]  up to ten distinct paths in all layers, the first in order
-- Source:   docs/measures.md, "Duplicate content"
WITH paths AS (
    SELECT content, path FROM new_content_file WHERE path IS NOT NULL
    UNION
    SELECT former_place.content, entry.path
    FROM former_source AS entry
    JOIN former_place
        ON former_place.layer = entry.layer
        AND former_place.content = entry.content_hash[1:16]::UUID
    WHERE entry.kind = 'file' AND entry.size_bytes > 0
    UNION
    SELECT content, unnest(paths) FROM new_content
)

SELECT content, min(path, 10) AS paths
FROM paths
GROUP BY content;
