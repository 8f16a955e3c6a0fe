-- Question: Which layers are above which in some image?
-- Grain:    one row per (lower layer, upper layer)
-- Params:   none
-- Columns:  lower_layer  VARCHAR  key of the layer
--           upper_layer  VARCHAR  key of a layer above it
-- Source:   docs/measures.md, "Layers that commute"
SELECT DISTINCT below_layer AS lower_layer, layer AS upper_layer
FROM above
WHERE layer IS NOT NULL AND below_layer IS NOT NULL;
