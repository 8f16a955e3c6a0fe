-- Question: What are the entries of a batch that can matter?
-- Grain:    one row per entry (layer, member)
-- Params:   none
-- Columns:  as the table entries, and
--           layer  INTEGER  number of the layer in the batch
-- Source:   docs/catalog.md
SELECT entries.* REPLACE (batch_layer.number AS layer)
FROM batch_source AS entries
JOIN batch_layer USING (layer)
SEMI JOIN batch_member
    ON batch_member.number = batch_layer.number AND batch_member.member = entries.member;
