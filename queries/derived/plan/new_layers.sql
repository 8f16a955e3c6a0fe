-- Question: Which layers of a batch lack derived rows?
-- Grain:    one row per layer
-- Params:   $batch  INTEGER  number of the batch
-- Columns:  layer      INTEGER  number of the layer in the batch
--           rows_id    UUID     its rows
--           is_listed  BOOLEAN  its contents are unknown
-- Source:   docs/design.md, "What is kept"
SELECT
    batch_layer.number AS layer,
    derive_plan.rows_id,
    is_listed(derive_plan.layer) AS is_listed
FROM derive_plan
JOIN batch_layer USING (layer)
WHERE derive_plan.batch = $batch;
