-- Question: Which files of the new layers are in a cache of a package manager, or hold zeros?
-- Grain:    one row per file (layer, member) that a later member of the layer did not replace
-- Params:   none
-- Columns:  rows_id     UUID     the layer's rows
--           member      INTEGER  the file
--           path        VARCHAR  its path
--           size_bytes  BIGINT   its logical size
--           zero_bytes  BIGINT   as in the table entries
--           cache       VARCHAR  the package manager; null if it is in no cache
-- Source:   docs/findings.md
SELECT
    new_layer.rows_id,
    item.member,
    item.path,
    item.size_bytes,
    item.zero_bytes,
    package_cache(item.path) AS cache
FROM item
JOIN new_layer USING (layer)
WHERE
    item.kind = 'file'
    AND item.taken_by IS NULL
    AND (item.zero_bytes > 0 OR package_cache(item.path) IS NOT NULL)
ORDER BY new_layer.rows_id, item.member;
