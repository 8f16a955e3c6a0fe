-- Question: Which chain nodes do the images of a part of the view have?
-- Grain:    one row per chain ID
-- Params:   none
-- Columns:  as 03_node
-- Source:   docs/measures.md, "Chain ID"
SELECT * FROM node WHERE chain_id IN (SELECT chain_id FROM part_stack);
