-- Question: What are the entries of a batch of layers that may be equal to another one?
-- Grain:    one row per entry (layer, member)
-- Params:   none
-- Columns:  as the table entries, and
--           layer  INTEGER  number of the layer in the batch
-- Source:   docs/catalog.md
--
-- Columns that no description needs are null.
SELECT
    entries.* REPLACE (
        batch_layer.number AS layer,
        NULL::BIGINT AS size_bytes,
        NULL::BIGINT AS stored_bytes,
        NULL::BIGINT AS zero_bytes,
        NULL::BLOB AS raw_name,
        NULL::VARCHAR AS flags
    )
FROM batch_source AS entries
JOIN batch_layer USING (layer);
