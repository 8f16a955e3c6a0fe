-- Question: Of which layers does the relation again_finding read the entries?
-- Grain:    one row per layer
-- Params:   none
-- Columns:  layer  VARCHAR  key of the layer
-- Source:   docs/findings.md
SELECT DISTINCT unnest([first_layer, last_layer]) AS layer FROM twin_class;
