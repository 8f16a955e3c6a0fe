-- Question: Which names do the regular files of a layer have in the layer itself?
-- Grain:    one row per (layer, name's member)
-- Params:   none
-- Columns:  layer         VARCHAR  key of the layer
--           member        INTEGER  the member that gives the name
--           path          VARCHAR  the name
--           inode_member  INTEGER  the file
--           taken         BOOLEAN  a later member of the layer took the name
-- Source:   MEASURES.md, "an inode once"
SELECT layer, member, path, member AS inode_member, taken_by IS NOT NULL AS taken
FROM item
WHERE kind = 'file'
UNION ALL
SELECT link.layer, link.member, link.path, link.end_member, item.taken_by IS NOT NULL
FROM link
JOIN item USING (layer, member)
WHERE link.end_kind = 'file';
