-- Question: Which names does each regular file of a layer have in that layer?
-- Grain:    one row per (layer, member that gives a name)
-- Params:   none
-- Columns:  layer         VARCHAR  key of the layer
--           member        INTEGER  the member that gives the name
--           path          VARCHAR  the name
--           inode_member  INTEGER  the file
--           taken         BOOLEAN  a later member of the layer replaced the name
-- Source:   docs/measures.md, "Hard links"
SELECT layer, member, path, member AS inode_member, taken_by IS NOT NULL AS taken
FROM item
WHERE kind = 'file'
UNION ALL
SELECT link.layer, link.member, link.path, link.end_member, item.taken_by IS NOT NULL
FROM link
JOIN item USING (layer, member)
WHERE link.end_kind = 'file';
