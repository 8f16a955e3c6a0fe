-- Question: Which hard links of each new chain node lead to nothing that has a second name?
-- Grain:    one row per (node, link)
-- Params:   none
-- Columns:  node_id    UUID     the node whose layer has the link
--           path       VARCHAR  the link
--           target     VARCHAR  its target
--           is_folder  BOOLEAN  the target is a folder of the layer; else there is none, in the
--                               layer or below it
-- Source:   docs/measures.md, "Hard links"
SELECT node.node_id, lower_link.path, lower_link.lower_path AS target, FALSE AS is_folder
FROM lower_link
JOIN new_node USING (chain_id)
JOIN node USING (chain_id)
WHERE lower_link.end_kind IS NULL
UNION ALL
SELECT node.node_id, link.path, item.link, TRUE
FROM link
JOIN item USING (layer, member)
JOIN node USING (layer)
JOIN new_node USING (chain_id)
WHERE link.end_kind = 'directory'
ORDER BY node_id, path;
