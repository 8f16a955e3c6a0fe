-- Question: Which layers of a batch lack derived rows of their contents?
-- Grain:    one row per layer
-- Params:   $batch  INTEGER  number of the batch
-- Columns:  layer    VARCHAR  key of the layer's rows
--           rows_id  UUID     as in the relation layers
--           number   INTEGER  its number in all runs
-- Source:   docs/design.md, "What is kept"
SELECT
    layer,
    rows_id,
    (
        coalesce((SELECT max(number) FROM kept_layer_number), 0)
        + row_number() OVER (ORDER BY layer)
    )::INTEGER AS number
FROM derive_plan
WHERE batch = $batch;
