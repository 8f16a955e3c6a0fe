-- Question: Which layers are the same but for timestamps, or but for their encoding?
-- Grain:    one row per class of such layers
-- Params:   none
-- Columns:  as 20_hidden_finding; chain_id and other_chain are chain nodes of two of the layers
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
),

classes AS (
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
    WHERE tars > 1
),

-- Two layers of a class represent all: their files with different mtimes, or of which the tars
-- store another number of bytes, are shown as evidence.
changed AS (
    SELECT
        classes.kind,
        classes.first_layer,
        classes.last_layer,
        arg_max(one.path, (one.size_bytes, one.path), 5) AS paths
    FROM classes
    JOIN item AS one ON one.layer = classes.first_layer
    JOIN item AS other
        ON other.layer = classes.last_layer AND other.path = one.path AND other.kind = one.kind
    WHERE one.mtime_ns <> other.mtime_ns OR one.stored_bytes IS DISTINCT FROM other.stored_bytes
    GROUP BY ALL
)

SELECT
    classes.kind,
    one.chain_id,
    other.chain_id AS other_chain,
    classes.files * (classes.copies - 1) AS files,
    classes.content_bytes * (classes.copies - 1) AS size_bytes,
    classes.content_bytes * (classes.copies - 1) AS saves_bytes,
    CASE classes.kind WHEN 'same-but-timestamps' THEN ['mtime'] ELSE [] END AS fields,
    coalesce(changed.paths, []) AS paths,
    format(
        CASE classes.kind
            WHEN 'same-but-timestamps'
                THEN 'build with a fixed SOURCE_DATE_EPOCH and rewritten timestamps'
            ELSE 'write the tars with one tool and one format, sparse files and padding alike'
        END
        || ': {} layers become one',
        classes.copies
    ) AS fix
FROM classes
LEFT JOIN changed USING (kind, first_layer, last_layer)
JOIN node AS one ON one.layer = classes.first_layer AND one.is_first
JOIN node AS other ON other.layer = classes.last_layer AND other.is_first;
