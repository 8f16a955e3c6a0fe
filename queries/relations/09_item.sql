-- Question: Which entries do the referenced layers hold, apart from ignored ones?
-- Grain:    one row per entry (layer, member); whiteouts and opaque marks included
-- Params:   none
-- Columns:  as the table entries, and
--           spelling    VARCHAR  in layers of Windows, path as the layer has it, which differs
--                                from path in case only; null in other layers
--           is_merged   BOOLEAN  what Windows merges with lower entries of its path: hives
--           taken_by    INTEGER  first later member of the same layer that replaced this one; null
--                                if none did
-- Source:   docs/measures.md, "Entry", "Causes", "Windows images"
--
-- This is a view: to copy all columns of all entries would take longer than to read the few that a
-- query needs.
WITH here AS (
    SELECT *, NULL::VARCHAR AS spelling, FALSE AS is_merged
    FROM entries
    WHERE
        layer IN (SELECT layer FROM node)
        AND layer NOT IN (SELECT layer FROM windows_entry)
        AND kind <> 'ignored'
    UNION ALL
    SELECT * FROM windows_entry
)

SELECT here.*, replacement.taken_by
FROM here
LEFT JOIN replacement USING (layer, member);
