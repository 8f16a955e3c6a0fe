-- Question: Where do the new layers hold one content of each class, and those whose paths are kept?
-- Grain:    one row per file with one of these contents
-- Params:   none
-- Columns:  content     UUID     first half of the content hash
--           number      INTEGER  number of the layer
--           path        VARCHAR  path of the file; null if the paths of the content are not kept
--           is_example  BOOLEAN  the content stands for its class
-- Source:   docs/design.md, "What is kept"
--
-- All contents of a class are in the same layers, so few files say which.
WITH wanted AS (
    SELECT
        content,
        has_kept_paths(size_bytes, copies) AS has_paths,
        content = min(content) OVER (PARTITION BY class) AS is_example
    FROM new_content
),

chosen AS MATERIALIZED (
    SELECT * FROM wanted WHERE has_paths OR is_example
)

SELECT
    chosen.content,
    new_content_layer.number,
    CASE WHEN chosen.has_paths THEN entries.path END AS path,
    chosen.is_example
FROM batch_source AS entries
JOIN new_content_layer USING (layer)
JOIN chosen ON chosen.content = entries.content_hash[1:16]::UUID
WHERE entries.kind = 'file' AND entries.size_bytes > 0 AND entries.content_hash IS NOT NULL;
