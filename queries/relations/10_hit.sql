-- Question: Which chain node hides which visible name of its parent chain, and by which rule?
-- Grain:    one row per (hiding chain ID, adding chain ID, path)
-- Params:   none
-- Columns:  chain_id  VARCHAR  the layer that hides
--           below     VARCHAR  chain ID that added the name
--           path      VARCHAR  the name
--           rule      VARCHAR  same, whiteout, below-whiteout, below-opaque, below-other, implied
-- Source:   docs/measures.md, "What hides a file"
WITH paths AS (
    SELECT DISTINCT layer, path, kind FROM item WHERE kind NOT IN ('whiteout', 'opaque')
),

folders AS (
    SELECT layer, parent_of(path) AS folder FROM paths WHERE path <> '' GROUP BY ALL
),

implied AS (
    SELECT layer, folder FROM folders
    UNION
    SELECT layer, unnest(ancestors_of(folder)) FROM folders
),

-- Entries and marks that hide a name of the same path. A directory that a layer only implies hides
-- a file of that path too.
at_path AS (
    SELECT layer, path, 1 AS rank, 'same' AS rule FROM paths
    UNION ALL
    SELECT layer, path, 2, 'whiteout' FROM item WHERE kind = 'whiteout'
    UNION ALL
    SELECT layer, folder, 7, 'implied' FROM implied
),

names AS (
    SELECT chain_id, path, parent_of(path) AS folder FROM node_name
),

name_folders AS (
    SELECT folder, folder AS ancestor FROM names WHERE folder IS NOT NULL GROUP BY ALL
    UNION
    SELECT folder, unnest(ancestors_of(folder))
    FROM (SELECT DISTINCT folder FROM names WHERE folder IS NOT NULL) AS folders
),

-- Entries and marks that hide every name below their path. A plain directory hides nothing.
over_path AS (
    SELECT DISTINCT
        layer,
        path,
        CASE kind WHEN 'whiteout' THEN 3 WHEN 'opaque' THEN 4 ELSE 5 END AS rank,
        CASE kind
            WHEN 'whiteout' THEN 'below-whiteout'
            WHEN 'opaque' THEN 'below-opaque'
            ELSE 'below-other'
        END AS rule
    FROM item
    WHERE kind <> 'directory' AND path IN (SELECT ancestor FROM name_folders)
),

touched AS (
    SELECT above.chain_id, above.below, names.path, at_path.rank, 0 AS distance, at_path.rule
    FROM at_path
    JOIN names USING (path)
    JOIN above ON above.layer = at_path.layer AND above.below = names.chain_id
    UNION ALL
    SELECT
        above.chain_id,
        above.below,
        names.path,
        over_path.rank,
        -len(over_path.path) AS distance,
        over_path.rule
    FROM over_path
    JOIN name_folders ON name_folders.ancestor = over_path.path
    JOIN names ON names.folder = name_folders.folder
    JOIN above ON above.layer = over_path.layer AND above.below = names.chain_id
),

-- The first rule in this order gives the cause: an entry of the same path, a whiteout of it, the
-- nearest ancestor (hence the negative length), an entry below the path.
ruled AS (
    SELECT
        chain_id,
        below,
        path,
        arg_min(
            rule,
            (CASE WHEN rank <= 2 THEN rank WHEN rank = 7 THEN 7 ELSE 3 END, distance, rank)
        ) AS rule
    FROM touched
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
