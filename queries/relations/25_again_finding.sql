-- Question: Which layers are the same but for timestamps, or but for their encoding?
-- Grain:    one row per class of such layers
-- Params:   none
-- Columns:  as 23_hidden_finding; chain_id and other_chain are chain nodes of two of the layers
-- Source:   docs/measures.md, "The same but for timestamps", "The same but for their encoding"
WITH sides AS (
    SELECT
        kind,
        first_layer,
        last_layer,
        unnest([first_layer, last_layer]) AS layer,
        unnest([TRUE, FALSE]) AS is_first
    FROM twin_class
),

-- These are the entries of the layers of twin_class alone (part/twin_layers).
shown AS MATERIALIZED (
    SELECT
        sides.kind,
        sides.first_layer,
        sides.last_layer,
        sides.is_first,
        coalesce(spelling.common, entries.path) AS path,
        entries.kind AS entry_kind,
        entries.size_bytes,
        entries.stored_bytes,
        entries.mtime_ns
    FROM batch_source AS entries
    JOIN sides USING (layer)
    JOIN layer_rows USING (layer)
    LEFT JOIN spelling ON layer_rows.is_windows AND spelling.path = entries.path
    WHERE entries.kind <> 'ignored'
),

-- Two layers of a class represent all: their files with different mtimes, or of which the tars
-- store another number of bytes, are shown as evidence.
changed AS (
    SELECT
        one.kind,
        one.first_layer,
        one.last_layer,
        arg_max(one.path, (one.size_bytes, one.path), 5) AS paths
    FROM shown AS one
    JOIN shown AS other USING (kind, first_layer, last_layer, path, entry_kind)
    WHERE
        one.is_first
        AND NOT other.is_first
        AND (one.mtime_ns <> other.mtime_ns OR one.stored_bytes IS DISTINCT FROM other.stored_bytes)
    GROUP BY one.kind, one.first_layer, one.last_layer
)

SELECT
    twin_class.kind,
    one.chain_id,
    other.chain_id AS other_chain,
    twin_class.files * (twin_class.copies - 1) AS files,
    twin_class.content_bytes * (twin_class.copies - 1) AS size_bytes,
    twin_class.content_bytes * (twin_class.copies - 1) AS saves_bytes,
    CASE twin_class.kind WHEN 'same-but-timestamps' THEN ['mtime'] ELSE [] END AS fields,
    coalesce(changed.paths, []) AS paths,
    format(
        CASE twin_class.kind
            WHEN 'same-but-timestamps'
                THEN 'build with a fixed SOURCE_DATE_EPOCH and rewritten timestamps'
            ELSE 'write the tars with one tool and one format, sparse files and padding alike'
        END
        || ': {} layers become one',
        twin_class.copies
    ) AS fix
FROM twin_class
LEFT JOIN changed USING (kind, first_layer, last_layer)
JOIN node AS one ON one.layer = twin_class.first_layer AND one.is_first
JOIN node AS other ON other.layer = twin_class.last_layer AND other.is_first;
