-- Question: Which folders hold the same files, in any layer and at any path?
-- Grain:    one row per (layer, folder) that has another copy
-- Params:   none
-- Columns:  layer       VARCHAR  key of the layer
--           folder      VARCHAR  path from the root
--           parent      VARCHAR  folder above it; null for the root
--           class       UUID     equal for folders with the same names and contents below them
--           copies      BIGINT   folders of that class
--           files       BIGINT   files below it, any depth
--           size_bytes  BIGINT   their bytes
-- Source:   docs/findings.md; docs/catalog.md, "Derived rows"
WITH repeated AS (
    SELECT kept.class, count(*) AS copies
    FROM kept_layer_folder AS kept
    SEMI JOIN layer_rows USING (rows_id)
    -- a quick scan reads no contents, so the folders of layers that it listed have no class
    WHERE kept.class IS NOT NULL AND kept.size_bytes > 0
    GROUP BY kept.class
    HAVING count(*) > 1
)

SELECT
    layer_rows.layer,
    kept.folder,
    parent_of(kept.folder) AS parent,
    repeated.class,
    repeated.copies,
    kept.files,
    kept.size_bytes
FROM kept_layer_folder AS kept
JOIN layer_rows USING (rows_id)
JOIN repeated USING (class);
