-- Question: Which paths have the contents with most bytes in copies?
-- Grain:    one row per content of the new layers with so many bytes in copies that its paths are
--           kept
-- Params:   none
-- Columns:  content  UUID       first half of the content hash
--           paths    VARCHAR[]  up to ten distinct paths in all layers, the first in order
-- Source:   docs/measures.md, "Duplicate content"
WITH places AS MATERIALIZED (
    SELECT new_content.content, new_content_layer.layer
    FROM new_content
    JOIN new_content_copy USING (content)
    JOIN new_content_layer USING (number)
    WHERE has_kept_paths(new_content.size_bytes, new_content.copies)
    UNION ALL
    SELECT content, layer FROM former_place
),

paths AS (
    SELECT places.content, entries.path
    FROM entries
    JOIN places
        ON places.layer = entries.layer
        AND places.content = entries.content_hash[1:16]::UUID
    WHERE entries.kind = 'file' AND entries.size_bytes > 0
    UNION
    SELECT content, unnest(paths) FROM new_content
)

SELECT content, min(path, 10) AS paths
FROM paths
GROUP BY content;
