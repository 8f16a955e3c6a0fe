-- Question: Which layers are there, if none has derived rows?
-- Grain:    one row per layer of the view
-- Params:   none
-- Columns:  layer      VARCHAR  key of the layer
--           rows_id    UUID     its rows
--           is_listed  BOOLEAN  its contents are unknown
-- Source:   docs/design.md, "What is kept"
SELECT layer, rows_id, is_listed(layer) AS is_listed FROM layer_rows;
