-- Question: Which chain nodes stand for all, if none has derived rows?
-- Grain:    one row per node ID
-- Params:   none
-- Columns:  chain_id  VARCHAR  the layer in its place; of several equal ones the smallest
-- Source:   docs/design.md, "What is kept"
SELECT min(chain_id) AS chain_id FROM node GROUP BY node_id;
