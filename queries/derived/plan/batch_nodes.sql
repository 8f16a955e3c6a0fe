-- Question: Which chain nodes are needed to derive the rows of a batch?
-- Grain:    one row per node that lacks rows or is below such a node
-- Params:   $batch  INTEGER  number of the batch
-- Columns:  as 03_node, and
--           chain_id  INTEGER  number of the node in the batch
--           parent    INTEGER  number of the node below it
--           layer     INTEGER  number of its layer
--           is_new    BOOLEAN  it lacks rows; of several equal nodes one is taken
-- Source:   docs/design.md, "What is kept"
--
-- Numbers are joined faster than keys. They say nothing outside of the batch.
WITH planned AS (
    SELECT chain_id, is_new, (row_number() OVER (ORDER BY chain_id))::INTEGER AS number
    FROM derive_plan
    WHERE batch = $batch
)

SELECT
    given_node.* REPLACE (
        planned.number AS chain_id, lower_planned.number AS parent, batch_layer.number AS layer
    ),
    planned.is_new
FROM given_node
JOIN planned USING (chain_id)
LEFT JOIN planned AS lower_planned ON lower_planned.chain_id = given_node.parent
LEFT JOIN batch_layer ON batch_layer.layer = given_node.layer;
