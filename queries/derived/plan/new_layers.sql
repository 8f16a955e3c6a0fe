-- Question: Which layers of a batch lack derived rows?
-- Grain:    one row per layer
-- Params:   $batch  INTEGER  number of the batch
-- Columns:  layer    VARCHAR  key of the layer
--           rows_id  UUID     its rows
-- Source:   docs/design.md, "What is kept"
SELECT layer, rows_id FROM derive_plan WHERE batch = $batch;
