-- Question: Which entries of the new layers are flagged?
-- Grain:    one row per flagged entry (layer, member), ignored ones included
-- Params:   none
-- Columns:  rows_id   UUID     the layer's rows
--           member    INTEGER  the entry
--           path      VARCHAR  its path
--           spelling  VARCHAR  in layers of Windows, path as the layer has it, if that differs
--           kind      VARCHAR  its kind
--           flags     VARCHAR  as in the table entries
-- Source:   docs/catalog.md, "Where stores differ"
WITH flagged_entries AS (
    SELECT layer, member, path, kind, flags FROM entries WHERE flags IS NOT NULL
),

-- The relation item has the paths of layers of Windows in one spelling, but no ignored entries.
spelled AS (
    SELECT layer, member, path FROM item WHERE flags IS NOT NULL
)

SELECT
    new_layer.rows_id,
    flagged_entries.member,
    coalesce(spelled.path, flagged_entries.path) AS path,
    CASE WHEN spelled.path <> flagged_entries.path THEN flagged_entries.path END AS spelling,
    flagged_entries.kind,
    flagged_entries.flags
FROM flagged_entries
JOIN new_layer USING (layer)
LEFT JOIN spelled USING (layer, member)
ORDER BY new_layer.rows_id, flagged_entries.member;
