-- Question: Which names of regular files does each chain node add to the merged view?
-- Grain:    one row per (chain ID, path)
-- Params:   none
-- Columns:  chain_id      VARCHAR  the layer in its place
--           path          VARCHAR  the name
--           inode_chain   VARCHAR  chain ID that the file was added at
--           inode_member  INTEGER  the file
-- Source:   docs/measures.md, "Hard links"
SELECT node.chain_id, layer_name.path, node.chain_id AS inode_chain, layer_name.inode_member
FROM node
JOIN layer_name USING (layer)
WHERE NOT layer_name.taken
UNION ALL
SELECT lower_link.chain_id, lower_link.path, lower_link.inode_chain, lower_link.inode_member
FROM lower_link
JOIN node USING (chain_id)
JOIN item ON item.layer = node.layer AND item.member = lower_link.member
WHERE lower_link.end_kind = 'file' AND item.taken_by IS NULL;
