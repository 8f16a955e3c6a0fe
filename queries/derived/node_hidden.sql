-- Question: How many bytes does each new chain node hide for good, by cause?
-- Grain:    one row per (hiding node, cause)
-- Params:   none
-- Columns:  node_id     UUID     the node that hides
--           cause       VARCHAR  as in the relation shadow; null if it is not known
--           files       BIGINT   number of files
--           size_bytes  BIGINT   their bytes
-- Source:   docs/measures.md, "What hides a file", "Causes"
SELECT node_id, cause, count(*) AS files, sum(size_bytes)::BIGINT AS size_bytes
FROM new_node_shadow
GROUP BY node_id, cause
ORDER BY node_id, cause;
