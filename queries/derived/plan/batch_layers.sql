-- Question: Which layers does a batch of chain nodes need, as numbers?
-- Grain:    one row per layer with rows
-- Params:   none
-- Columns:  layer   VARCHAR  key of the layer
--           number  INTEGER  from 1, in this batch only
-- Source:   docs/design.md, "What is kept"
SELECT layer, row_number() OVER ()::INTEGER AS number
FROM (SELECT DISTINCT layer FROM node WHERE layer IS NOT NULL) AS layers;
