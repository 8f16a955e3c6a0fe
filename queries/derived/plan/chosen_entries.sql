-- Question: What are the entries of a batch that can matter?
-- Grain:    one row per entry (layer, member)
-- Params:   none
-- Columns:  as the table entries
-- Source:   docs/catalog.md
SELECT entries.*
FROM batch_source AS entries
SEMI JOIN batch_member USING (layer, member);
