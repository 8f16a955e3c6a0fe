-- Question: Which chain nodes lack derived rows, and which are derived together?
-- Grain:    one row per (batch, node that lacks rows or is below such a node)
-- Params:   $entries  BIGINT  entries of a batch, of the layers of a base and of all above it
-- Columns:  batch     INTEGER  number of the batch, from 0; -1 for nodes with layers of Windows,
--                              whose spelling depends on all others of them
--           is_new    BOOLEAN  it lacks rows; of several equal nodes one is taken
--           chain_id  VARCHAR  the layer in its place
--           layer     VARCHAR  its layer
--           entries   BIGINT   entries of its layer
-- Source:   docs/design.md, "What is kept"
WITH windows_layers AS (
    SELECT DISTINCT layer FROM node WHERE is_windows AND layer IS NOT NULL
),

lineage AS (
    SELECT chain_id, chain_id AS below, layer AS below_layer, position AS below_position FROM node
    UNION ALL
    SELECT chain_id, below, below_layer, below_position FROM above
),

of_windows AS (
    SELECT DISTINCT chain_id
    FROM lineage
    WHERE below_layer IN (SELECT layer FROM windows_layers)
),

lacking AS (
    SELECT min(node.chain_id) AS chain_id, of_windows.chain_id IS NOT NULL AS is_windows
    FROM node
    LEFT JOIN of_windows USING (chain_id)
    ANTI JOIN kept_node_mark USING (node_id)
    GROUP BY node.node_id, of_windows.chain_id IS NOT NULL
),

wanted AS (
    SELECT
        lineage.below AS chain_id,
        lacking.is_windows,
        bool_or(lineage.below = lacking.chain_id) AS is_new
    FROM lacking
    JOIN lineage USING (chain_id)
    GROUP BY lineage.below, lacking.is_windows
),

-- All nodes above one base are derived together, since they need the rows of its layer.
rooted AS (
    SELECT
        wanted.*,
        node.layer,
        lineage.below AS base,
        coalesce(layers.entries, 0) AS entries
    FROM wanted
    JOIN node USING (chain_id)
    JOIN lineage ON lineage.chain_id = wanted.chain_id AND lineage.below_position = 0
    LEFT JOIN layers ON layers.layer = node.layer
),

weighed AS (
    SELECT base, sum(entries) AS entries
    FROM (SELECT DISTINCT base, layer, entries FROM rooted WHERE NOT is_windows) AS distinct_layers
    GROUP BY base
),

batches AS (
    SELECT
        base,
        ((sum(entries) OVER (ORDER BY base) - entries) // $entries::BIGINT)::INTEGER AS batch
    FROM weighed
)

SELECT
    CASE WHEN rooted.is_windows THEN -1 ELSE batches.batch END AS batch,
    rooted.is_new,
    rooted.chain_id,
    rooted.layer,
    rooted.entries
FROM rooted
LEFT JOIN batches USING (base);
