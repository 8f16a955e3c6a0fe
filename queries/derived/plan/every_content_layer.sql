-- Question: Which layers have contents, if none has derived rows?
-- Grain:    one row per layer
-- Params:   none
-- Columns:  as derived/plan/content_layers
-- Source:   docs/design.md, "What is kept"
SELECT layer, rows_id, (row_number() OVER (ORDER BY layer))::INTEGER AS number
FROM layers
WHERE layer IN (SELECT layer FROM node) AND NOT is_listed(layer);
