-- Question: Which layers hold the same entries, with and without their timestamps?
-- Grain:    one row per layer with entries that has as many files and bytes as another
-- Params:   none
-- Columns:  layer        VARCHAR  key of the layer
--           description  UUID     equal for layers whose entries agree in all but mtimes
--           exact        UUID     equal for layers whose entries agree in all, mtimes too
-- Source:   docs/measures.md, "The same but for timestamps", "The same but for their encoding";
--           docs/catalog.md, "Derived rows"
SELECT layer_rows.layer, kept.description, kept.exact
FROM kept_layer_fact AS kept
JOIN layer_rows USING (rows_id)
WHERE kept.description IS NOT NULL;
