-- Question: Which layers lack derived rows, and which are derived together?
-- Grain:    one row per layer that lacks rows
-- Params:   $entries  BIGINT  entries of a batch of nodes, which needs few of their columns; one of
--                             layers has a quarter
-- Columns:  batch    INTEGER  number of the batch, from 0; -1 for layers of Windows, whose spelling
--                             depends on all others of them
--           is_new   BOOLEAN  it lacks rows: all do
--           layer    VARCHAR  key of the layer
--           rows_id  UUID     its rows
--           entries  BIGINT   its entries
-- Source:   docs/design.md, "What is kept"
WITH lacking AS (
    SELECT layer_rows.layer, layer_rows.rows_id, layer_rows.is_windows, layers.entries
    FROM layer_rows
    JOIN layers USING (layer)
    ANTI JOIN kept_layer_mark AS mark ON mark.rows_id = layer_rows.rows_id
)

SELECT
    CASE
        WHEN is_windows THEN -1
        ELSE (
            (sum(entries) OVER (PARTITION BY is_windows ORDER BY layer) - entries)
            // greatest($entries::BIGINT // 4, 1)
        )::INTEGER
    END AS batch,
    TRUE AS is_new,
    layer,
    rows_id,
    entries
FROM lacking;
