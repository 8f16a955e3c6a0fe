-- Question: Which layers have entries for which no order but today's can be proven equal?
-- Grain:    one row per (chain node, rule)
-- Params:   none
-- Columns:  chain_id  VARCHAR  the layer in its place
--           rule      VARCHAR  through a symlink: paths that go through a symlink, or another name
--                              of one, of a layer below or of the layer itself; unlike entry:
--                              entries that some unpacker treats by another rule; dangling link:
--                              hard links to nothing
--           path      VARCHAR  evidence: the smallest of these paths
--           paths     BIGINT   number of these paths
-- Source:   docs/measures.md, "Orders and unpackers", "Paths through symlinks"
--
-- Dangling links and paths that go through a symlink are kept for each chain node, flags for each
-- layer, so no entry is read.
WITH through AS (
    SELECT node.chain_id, kept.path, kept.paths, kept.is_own
    FROM kept_node_symlinked AS kept
    JOIN node USING (node_id)
),

-- The reader of layers has resolved other paths through links of the layer, and flagged them.
resolved AS (
    SELECT node.chain_id, kept.path
    FROM kept_layer_flagged AS kept
    JOIN layer_rows USING (rows_id)
    JOIN node USING (layer)
    WHERE kept.kind <> 'ignored' AND contains(kept.flags, 'through-own-symlink')
    UNION
    SELECT chain_id, path FROM through WHERE is_own
),

unlike AS (
    SELECT layer_rows.layer, coalesce(kept.spelling, kept.path) AS path
    FROM kept_layer_flagged AS kept
    JOIN layer_rows USING (rows_id)
    WHERE
        layer_rows.layer IN (SELECT layer FROM node)
        AND list_has_any(
            string_split(kept.flags, ','),
            [
                'aufs-metadata',
                'invalid-whiteout',
                'unknown-type',
                'overlay-xattr-in-tar',
                'overlay-metacopy',
                'overlay-redirect'
            ]
        )
),

found AS (
    SELECT chain_id, 'through a symlink' AS rule, path, paths FROM through WHERE NOT is_own
    UNION ALL
    SELECT chain_id, 'through a symlink', min(path), count(*)
    FROM resolved
    GROUP BY chain_id
    UNION ALL
    SELECT node.chain_id, 'unlike entry', min(unlike.path), count(*)
    FROM unlike
    JOIN node USING (layer)
    GROUP BY node.chain_id
    UNION ALL
    SELECT node.chain_id, 'dangling link', min(kept.path), count(*)
    FROM kept_node_dangling AS kept
    JOIN node USING (node_id)
    GROUP BY node.chain_id
)

SELECT chain_id, rule, min(path) AS path, sum(paths)::BIGINT AS paths
FROM found
GROUP BY chain_id, rule;
