-- Question: What are the entries of a batch of layers that may be equal to another one?
-- Grain:    one row per entry (layer, member)
-- Params:   none
-- Columns:  as the table entries
-- Source:   docs/catalog.md
SELECT entries.*
FROM batch_source AS entries
SEMI JOIN new_twin USING (layer);
