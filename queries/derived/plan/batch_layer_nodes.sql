-- Question: Which chain nodes have the layers of a batch?
-- Grain:    one row per node
-- Params:   none
-- Columns:  as 03_node, and
--           layer  INTEGER  number of the layer in the batch
-- Source:   docs/design.md, "What is kept"
SELECT given_node.* REPLACE (batch_layer.number AS layer)
FROM given_node
JOIN batch_layer USING (layer);
