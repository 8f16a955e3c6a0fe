-- Question: Which chain nodes are needed to derive the rows of a batch?
-- Grain:    one row per node that lacks rows or is below such a node
-- Params:   $batch  INTEGER  number of the batch
-- Columns:  as 03_node
-- Source:   docs/design.md, "What is kept"
SELECT given_node.*
FROM given_node
JOIN derive_plan USING (chain_id)
WHERE derive_plan.batch = $batch;
