-- Question: In which directories are entries and marks of a batch, and which are above these?
-- Grain:    one row per (directory, itself or an ancestor of it), over all layers
-- Params:   none
-- Columns:  folder_id    UBIGINT  hash of a directory that has entries or marks in some layer
--           ancestor_id  UBIGINT  hash of it, or of a directory above it
-- Source:   docs/design.md, "What is kept"
--
-- A directory that an opaque mark names has the mark in it. Of two directories with one hash both
-- have rows, so that each counts as having what the other has too.
WITH folders AS (
    SELECT DISTINCT parse_dirpath(entries.path, 'forward_slash') AS folder
    FROM batch_source AS entries
    SEMI JOIN batch_layer USING (layer)
    WHERE entries.kind <> 'ignored'
    UNION
    SELECT entries.path
    FROM batch_source AS entries
    SEMI JOIN batch_layer USING (layer)
    WHERE entries.kind = 'opaque'
)

SELECT DISTINCT
    hash(folder) AS folder_id,
    hash(unnest(list_append(ancestors_of(folder), folder))) AS ancestor_id
FROM folders;
