-- Question: At which paths do layers hold what unpackers are known to treat in different ways?
-- Grain:    one row per (layer, path, case)
-- Params:   none
-- Columns:  layer      VARCHAR  key of the layer
--           path       VARCHAR  path of the entry, or of the directory above it, that differs
--           case_name  VARCHAR  the case, as in docs/catalog.md, "Where stores differ"
-- Source:   docs/measures.md, "What unpackers do"; docs/catalog.md, "Derived rows"
SELECT DISTINCT node.layer, kept.path, kept.case_name
FROM kept_node_divergence AS kept
JOIN node USING (node_id);
