-- Question: Which chain node hides which visible name of its parent chain, and by which rule?
-- Grain:    one row per (hiding chain ID, adding chain ID, path)
-- Params:   none
-- Columns:  chain_id  VARCHAR  the layer that hides
--           below     VARCHAR  chain ID that added the name
--           path      VARCHAR  the name
--           rule      VARCHAR  same, whiteout, below-whiteout, below-opaque, below-other, implied
-- Source:   docs/measures.md, "What hides a file"
WITH names AS (
    SELECT chain_id, path, parent_of(path) AS folder FROM node_name
),

name_folders AS (
    SELECT folder, folder AS ancestor FROM names WHERE folder IS NOT NULL GROUP BY ALL
    UNION
    SELECT folder, unnest(ancestors_of(folder))
    FROM (SELECT DISTINCT folder FROM names WHERE folder IS NOT NULL) AS folders
),

-- These are few. To join names with name_folders first would take longer.
covers_below AS MATERIALIZED (
    SELECT
        above.chain_id, above.below, name_folders.folder, cover.path, cover.rank, cover.rule
    FROM cover
    JOIN name_folders ON name_folders.ancestor = cover.path
    JOIN above USING (layer)
    WHERE cover.scope = 'below'
),

covered AS (
    SELECT above.chain_id, above.below, names.path, cover.rank, 0 AS distance, cover.rule
    FROM cover
    JOIN names USING (path)
    JOIN above ON above.layer = cover.layer AND above.below = names.chain_id
    WHERE cover.scope = 'at'
    UNION ALL
    SELECT
        covers_below.chain_id,
        covers_below.below,
        names.path,
        covers_below.rank,
        -len(covers_below.path) AS distance,
        covers_below.rule
    FROM covers_below
    JOIN names
        ON names.folder = covers_below.folder AND names.chain_id = covers_below.below
),

-- If a layer hides a name by several rules, the one of the smallest rank counts, and of several
-- ancestors the nearest (hence the negative length).
ruled AS (
    SELECT chain_id, below, path, arg_min(rule, (rank, distance, rule_cause(rule))) AS rule
    FROM covered
    GROUP BY chain_id, below, path
),

-- A name that a node between has already hidden is not visible, so nothing hides it again.
repeated AS (
    SELECT DISTINCT ruled.chain_id, ruled.below, ruled.path
    FROM ruled
    JOIN above ON above.chain_id = ruled.chain_id
    JOIN ruled AS earlier
        ON earlier.chain_id = above.below
        AND earlier.below = ruled.below
        AND earlier.path = ruled.path
)

SELECT ruled.*
FROM ruled
ANTI JOIN repeated USING (chain_id, below, path);
