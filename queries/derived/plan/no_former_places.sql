-- Question: Which layers besides the new ones hold contents, if none has derived rows?
-- Grain:    no rows
-- Params:   none
-- Columns:  as derived/plan/former_places
-- Source:   docs/design.md, "What is kept"
SELECT NULL::UUID AS content, NULL::VARCHAR AS layer
WHERE FALSE;
