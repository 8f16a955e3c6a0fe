-- Question: Which layers are the same but for timestamps?
-- Grain:    one row per class of such layers
-- Params:   none
-- Columns:  as 20_hidden_finding; chain_id and other_chain are chain nodes of two of the layers
-- Source:   docs/measures.md, "The same but for timestamps"
WITH classes AS (
    SELECT
        description.description,
        count(*) AS copies,
        min(layers.content_bytes) AS size_bytes,
        min(layers.files) AS files,
        min(description.layer) AS first_layer,
        max(description.layer) AS last_layer
    FROM description
    JOIN layers USING (layer)
    GROUP BY description.description
    HAVING count(*) > 1 AND min(layers.content_bytes) > 0
),

-- Two layers of a class represent all: their files with different mtimes are shown as evidence.
changed AS (
    SELECT classes.description, arg_max(one.path, (one.size_bytes, one.path), 5) AS paths
    FROM classes
    JOIN item AS one ON one.layer = classes.first_layer
    JOIN item AS other
        ON other.layer = classes.last_layer AND other.path = one.path AND other.kind = one.kind
    WHERE one.mtime_ns <> other.mtime_ns
    GROUP BY classes.description
)

SELECT
    'same-but-timestamps' AS kind,
    one.chain_id,
    other.chain_id AS other_chain,
    classes.files * (classes.copies - 1) AS files,
    classes.size_bytes * (classes.copies - 1) AS size_bytes,
    classes.size_bytes * (classes.copies - 1) AS saves_bytes,
    ['mtime'] AS fields,
    coalesce(changed.paths, []) AS paths,
    format(
        'build with a fixed SOURCE_DATE_EPOCH and rewritten timestamps: {} layers become one',
        classes.copies
    ) AS fix
FROM classes
LEFT JOIN changed USING (description)
JOIN node AS one ON one.layer = classes.first_layer AND one.is_first
JOIN node AS other ON other.layer = classes.last_layer AND other.is_first;
