-- Question: Which chain nodes of a batch lack derived rows?
-- Grain:    one row per node
-- Params:   $batch  INTEGER  number of the batch
-- Columns:  chain_id  VARCHAR  the layer in its place
-- Source:   docs/design.md, "What is kept"
SELECT chain_id FROM derive_plan WHERE batch = $batch AND is_new;
