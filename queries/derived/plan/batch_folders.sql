-- Question: Which directories does each layer of a batch imply, by entries or marks?
-- Grain:    one row per (layer, directory)
-- Params:   none
-- Columns:  number     INTEGER  the layer
--           folder_id  UBIGINT  hash of the directory
--           member     INTEGER  first entry below it; null if only marks are
-- Source:   docs/design.md, "What is kept"
WITH own AS (
    SELECT number, folder_id, min(member) FILTER (WHERE NOT is_mark) AS member
    FROM batch_entry
    GROUP BY number, folder_id
    UNION ALL
    SELECT number, path_id, NULL
    FROM batch_entry
    WHERE is_mark
)

SELECT own.number, place.ancestor_id AS folder_id, min(own.member) AS member
FROM own
JOIN batch_place AS place USING (folder_id)
GROUP BY own.number, place.ancestor_id;
