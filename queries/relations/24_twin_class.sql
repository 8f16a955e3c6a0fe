-- Question: Which layers are the same but for timestamps, or but for their encoding?
-- Grain:    one row per class of such layers
-- Params:   none
-- Columns:  kind           VARCHAR  same-but-timestamps or same-but-encoding
--           copies         BIGINT   layers, or tars, of the class
--           first_layer    VARCHAR  key of one of the layers
--           last_layer     VARCHAR  key of another one
--           content_bytes  BIGINT   content of one of them
--           files          BIGINT   its regular files
-- Source:   docs/measures.md, "The same but for timestamps", "The same but for their encoding"
WITH known AS (
    SELECT
        description.*,
        layers.diff_id,
        layers.content_bytes,
        layers.files
    FROM description
    JOIN layers USING (layer)
    WHERE layers.content_bytes > 0
),

-- Layers that agree in everything. The rows of a folder that was walked are of no tar, and one
-- layer can be read from several sources, so different tars are counted by their diff IDs.
alike AS (
    SELECT
        description,
        exact,
        min(layer) AS layer,
        count(DISTINCT diff_id) AS tars,
        arg_min(layer, diff_id) AS first_tar,
        arg_max(layer, diff_id) AS last_tar,
        min(content_bytes) AS content_bytes,
        min(files) AS files
    FROM known
    GROUP BY description, exact
)

SELECT
    'same-but-timestamps' AS kind,
    count(*) AS copies,
    min(layer) AS first_layer,
    max(layer) AS last_layer,
    min(content_bytes) AS content_bytes,
    min(files) AS files
FROM alike
GROUP BY description
HAVING count(*) > 1
UNION ALL
SELECT 'same-but-encoding' AS kind, tars, first_tar, last_tar, content_bytes, files
FROM alike
WHERE tars > 1;
