-- Question: What can the entries and marks of a layer hide in lower layers?
-- Grain:    one row per (layer, member, scope), and one per (layer, implied directory)
-- Params:   none
-- Columns:  layer              VARCHAR  key of the layer that hides
--           path               VARCHAR  the path that it hides, or below which it hides everything
--           scope              VARCHAR  at (the path itself) or below (every path below it)
--           rule               VARCHAR  same, whiteout, implied, below-whiteout, below-opaque,
--                                       below-other
--           rank               INTEGER  1 is the rule that comes first if several hide one path
--           keeps_directories  BOOLEAN  a lower directory at the path is merged, not hidden
-- Source:   docs/measures.md, "What hides a file"; OCI image-spec layer.md, "Whiteouts"
--
-- The rules are macros (macros.sql), so that containers can be asked by the same ones. Left out are
-- entries that can hide nothing: those at a path that no other entry has, unless their layer is
-- twice in an image; and, of scope below, those at a path below which no layer has an entry or a
-- mark. A hard link may dangle: then it hides a directory that lower layers only imply, and nothing
-- takes its place.
WITH parents AS (
    SELECT layer, parent_of(path) AS path
    FROM item
    WHERE NOT is_mark(kind) AND taken_by IS NULL AND path <> ''
    GROUP BY ALL
),

-- An entry implies every directory above it.
implied AS (
    SELECT layer, path FROM parents
    UNION
    SELECT layer, unnest(ancestors_of(path)) FROM parents
),

-- All directories that entries imply or marks make.
made AS (
    SELECT path FROM implied
    UNION
    SELECT unnest(mark_folders_of(kind, path)) FROM item WHERE is_mark(kind)
),

repeated_layers AS (
    SELECT layer FROM stack GROUP BY image_id, layer HAVING count(*) > 1
),

repeated_paths AS (
    SELECT path FROM item WHERE NOT is_mark(kind) GROUP BY path HAVING count(*) > 1
    UNION ALL
    SELECT path FROM item WHERE layer IN (SELECT layer FROM repeated_layers)
    UNION ALL
    SELECT path FROM item WHERE kind = 'hardlink' AND path IN (SELECT path FROM made)
),

covers AS (
    SELECT
        layer,
        path,
        'at' AS scope,
        rule_at(kind) AS rule,
        kind = 'directory' AS keeps_directories
    FROM item
    WHERE NOT is_merged AND (is_mark(kind) OR path IN (SELECT path FROM repeated_paths))
    UNION ALL
    SELECT layer, path, 'at', 'implied', TRUE FROM implied
    UNION ALL
    SELECT layer, path, 'below', rule_below(kind), FALSE
    FROM item
    WHERE path IN (SELECT path FROM made)
)

SELECT layer, path, scope, rule, rule_rank(rule) AS rank, keeps_directories
FROM covers
WHERE rule IS NOT NULL;
