-- Question: Which layers may be equal to another one and lack a description, and which are
--           described together?
-- Grain:    one row per layer
-- Params:   $entries  BIGINT  entries of a batch of nodes, which needs few of their columns; one of
--                             layers has a sixth
-- Columns:  batch    INTEGER  number of the batch, from 0; -1 for layers of Windows, whose spelling
--                             depends on all others of them
--           is_new   BOOLEAN  it lacks a description: all do
--           layer    VARCHAR  key of the layer
--           rows_id  UUID     its rows
--           entries  BIGINT   its entries
-- Source:   docs/design.md, "What is kept"
--
-- Layers whose entries agree have as many files and bytes. A description costs more than all other
-- rows of a layer, and most layers need none.
WITH sized AS (
    SELECT
        layer_rows.*,
        layers.entries,
        count(*) OVER (PARTITION BY layers.content_bytes, layers.files) AS alike
    FROM layer_rows
    JOIN layers USING (layer)
    -- layers of which a quick scan did not read the contents cannot be compared
    WHERE NOT is_listed(layer_rows.layer) AND layer_rows.layer IN (SELECT layer FROM node)
),

lacking AS (
    SELECT sized.*
    FROM sized
    ANTI JOIN kept_layer_fact AS fact ON fact.rows_id = sized.rows_id
    WHERE sized.alike > 1
)

SELECT
    CASE
        WHEN is_windows THEN -1
        ELSE (
            (sum(entries) OVER (PARTITION BY is_windows ORDER BY layer) - entries)
            // greatest($entries::BIGINT // 6, 1)
        )::INTEGER
    END AS batch,
    TRUE AS is_new,
    layer,
    rows_id,
    entries
FROM lacking;
