-- Question: Which layers may be equal to another one, if none has a description?
-- Grain:    one row per layer that has as many files and bytes as another
-- Params:   none
-- Columns:  layer    VARCHAR  key of the layer
--           rows_id  UUID     its rows
-- Source:   docs/design.md, "What is kept"
SELECT layer_rows.layer, layer_rows.rows_id
FROM layer_rows
JOIN layers USING (layer)
WHERE NOT is_listed(layer_rows.layer) AND layer_rows.layer IN (SELECT layer FROM node)
QUALIFY count(*) OVER (PARTITION BY layers.content_bytes, layers.files) > 1;
