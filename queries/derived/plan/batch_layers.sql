-- Question: Which layers does a batch need, as numbers?
-- Grain:    one row per layer with rows
-- Params:   $batch  INTEGER  number of the batch
-- Columns:  layer   VARCHAR  key of the layer
--           number  INTEGER  from 1, in this batch only: the relations of a batch have it as layer
-- Source:   docs/design.md, "What is kept"
SELECT layer, (row_number() OVER (ORDER BY layer))::INTEGER AS number
FROM (SELECT DISTINCT layer FROM derive_plan WHERE batch = $batch AND layer IS NOT NULL) AS layers;
