-- Question: At which paths does the layer of each new chain node hold what unpackers are known to
--           treat in different ways?
-- Grain:    one row per (node, path, case)
-- Params:   none
-- Columns:  node_id    UUID     the layer in its place
--           path       VARCHAR  path of the entry, or of the directory above it, that differs
--           case_name  VARCHAR  the case, as in docs/catalog.md, "Where stores differ"
-- Source:   docs/measures.md, "What unpackers do"
SELECT node.node_id, disagreement.path, disagreement.case_name
FROM disagreement
JOIN node USING (layer)
JOIN new_node USING (chain_id)
ORDER BY node.node_id, disagreement.path, disagreement.case_name;
