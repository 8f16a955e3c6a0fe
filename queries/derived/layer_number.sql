-- Question: Of which layers are the contents known now, and by which number?
-- Grain:    one row per new layer
-- Params:   none
-- Columns:  rows_id  UUID     as in the relation layers
--           number   INTEGER  its number in these tables
-- Source:   docs/catalog.md, "Derived rows"
SELECT rows_id, number
FROM new_content_layer
ORDER BY number;
