-- Question: Which chain nodes have the layers of a batch?
-- Grain:    one row per node
-- Params:   $batch  INTEGER  number of the batch
-- Columns:  as 03_node
-- Source:   docs/design.md, "What is kept"
WITH planned AS (
    SELECT layer FROM derive_plan WHERE batch = $batch
)

SELECT given_node.*
FROM given_node
SEMI JOIN planned USING (layer);
