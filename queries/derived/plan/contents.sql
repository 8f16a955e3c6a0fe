-- Question: Which layers lack derived rows of their contents, and which are derived together?
-- Grain:    one row per layer that lacks rows
-- Params:   $entries  BIGINT  entries of a batch
-- Columns:  batch    INTEGER  number of the batch, from 0
--           is_new   BOOLEAN  true
--           layer    VARCHAR  key of the layer's rows
--           rows_id  UUID     as in the relation layers
--           entries  BIGINT   its entries
-- Source:   docs/design.md, "What is kept"
--
-- The contents of layers that a quick scan listed are unknown.
WITH lacking AS (
    SELECT layers.layer, layers.rows_id, coalesce(layers.entries, 0) AS entries
    FROM layers
    ANTI JOIN kept_layer_number USING (rows_id)
    WHERE layers.layer IN (SELECT layer FROM node) AND NOT is_listed(layers.layer)
)

SELECT
    ((sum(entries) OVER (ORDER BY layer) - entries) // $entries::BIGINT)::INTEGER AS batch,
    TRUE AS is_new,
    layer,
    rows_id,
    entries
FROM lacking;
