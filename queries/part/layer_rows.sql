-- Question: Which derived rows are those of each layer of a part of the view?
-- Grain:    one row per layer
-- Params:   none
-- Columns:  as 06_layer_rows
-- Source:   docs/catalog.md, "Derived rows"
SELECT * FROM layer_rows WHERE layer IN (SELECT layer FROM part_node);
