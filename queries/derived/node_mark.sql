-- Question: Which chain nodes have derived rows now?
-- Grain:    one row per new node
-- Params:   none
-- Columns:  node_id  UUID  the node
-- Source:   docs/catalog.md, "Derived rows"
SELECT node.node_id
FROM node
JOIN new_node USING (chain_id)
ORDER BY node.node_id;
