-- Question: Which chain nodes of a batch lack derived rows?
-- Grain:    one row per node
-- Params:   none
-- Columns:  chain_id  INTEGER  number of the node in the batch
-- Source:   docs/design.md, "What is kept"
SELECT chain_id FROM node WHERE is_new;
