-- Question: Which layers have derived rows now?
-- Grain:    one row per new layer
-- Params:   none
-- Columns:  rows_id  UUID  the layer's rows
-- Source:   docs/catalog.md, "Derived rows"
SELECT rows_id
FROM new_layer
ORDER BY rows_id;
