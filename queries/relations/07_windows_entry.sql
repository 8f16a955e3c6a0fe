-- Question: Which entries do layers of Windows hold, with one spelling for each path?
-- Grain:    one row per entry (layer, member)
-- Params:   none
-- Columns:  as the table entries, and
--           spelling   VARCHAR  path as the layer has it, which differs from path in case only
--           is_merged  BOOLEAN  what Windows merges with lower entries of its path: hives
-- Source:   docs/measures.md, "Entry", "Windows images"
WITH windows_layers AS (
    SELECT layer FROM node WHERE layer IS NOT NULL GROUP BY layer HAVING bool_and(is_windows)
)

SELECT
    entries.* REPLACE (
        coalesce(named.common, entries.path) AS path,
        coalesce(target.common, entries.link) AS link
    ),
    entries.path AS spelling,
    regexp_full_match(lower(entries.path), 'hives/[^/]*_delta') AS is_merged
FROM entries
LEFT JOIN spelling AS named ON named.path = entries.path
LEFT JOIN spelling AS target ON target.path = entries.link AND entries.kind = 'hardlink'
WHERE entries.kind <> 'ignored' AND entries.layer IN (SELECT layer FROM windows_layers);
