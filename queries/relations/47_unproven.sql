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
-- A layer that lists a directory before the paths below it puts the directory in the place of a
-- lower symlink, in every unpacker: these paths do not go through the symlink.
--
-- How the cost grows: the directories of all paths, each once, are looked up among the paths of
-- links. Entries are searched only in directories that are found there.
WITH links AS (
    SELECT layer, path, min(member) AS member
    FROM item
    WHERE kind IN ('symlink', 'hardlink')
    GROUP BY layer, path
),

-- The targets of links are paths too. An opaque mark is inside the directory that it names.
named AS (
    SELECT layer, member, path, parent_of(path) AS folder FROM item WHERE path <> ''
    UNION ALL
    SELECT layer, member, path, path AS folder FROM item WHERE kind = 'opaque'
    UNION ALL
    SELECT layer, member, link, parent_of(link) FROM item WHERE kind = 'hardlink' AND link <> ''
),

folders AS (
    SELECT DISTINCT folder FROM named
),

linked_folders AS (
    SELECT folder, cover
    FROM (
        SELECT folder, folder AS cover FROM folders
        UNION ALL
        SELECT folder, unnest(ancestors_of(folder)) FROM folders
    ) AS covered
    WHERE cover IN (SELECT path FROM links)
),

inside AS (
    SELECT named.layer, named.path, named.member, linked_folders.cover
    FROM named
    JOIN linked_folders USING (folder)
),

listed AS (
    SELECT layer, path, min(member) AS member
    FROM item
    WHERE kind = 'directory' AND path IN (SELECT cover FROM linked_folders)
    GROUP BY layer, path
),

over_lower AS (
    SELECT
        inside.layer,
        inside.cover,
        min(inside.path) AS path,
        count(DISTINCT inside.path) AS paths
    FROM inside
    LEFT JOIN listed ON listed.layer = inside.layer AND listed.path = inside.cover
    WHERE listed.member IS NULL OR listed.member > inside.member
    GROUP BY inside.layer, inside.cover
),

-- Each symlink counts once, whatever the number of lower layers that have it.
through_lower AS (
    SELECT DISTINCT above.chain_id, over_lower.cover, over_lower.path, over_lower.paths
    FROM over_lower
    JOIN links ON links.path = over_lower.cover
    JOIN above ON above.layer = over_lower.layer AND above.below_layer = links.layer
),

through_own AS (
    SELECT inside.layer, inside.path
    FROM inside
    JOIN links
        ON links.layer = inside.layer
        AND links.path = inside.cover
        AND links.member < inside.member
    LEFT JOIN listed ON listed.layer = inside.layer AND listed.path = inside.cover
    WHERE NOT coalesce(listed.member BETWEEN links.member AND inside.member, FALSE)
),

-- The reader of layers has resolved other paths through links of the layer, and flagged them.
resolved AS (
    SELECT layer_rows.layer, kept.path
    FROM kept_layer_flagged AS kept
    JOIN layer_rows USING (rows_id)
    WHERE
        kept.kind <> 'ignored'
        AND contains(kept.flags, 'through-own-symlink')
        AND layer_rows.layer IN (SELECT layer FROM node)
    UNION
    SELECT layer, path FROM through_own
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
    SELECT chain_id, 'through a symlink' AS rule, path, paths FROM through_lower
    UNION ALL
    SELECT node.chain_id, 'through a symlink', min(resolved.path), count(*)
    FROM resolved
    JOIN node USING (layer)
    GROUP BY node.chain_id
    UNION ALL
    SELECT node.chain_id, 'unlike entry', min(unlike.path), count(*)
    FROM unlike
    JOIN node USING (layer)
    GROUP BY node.chain_id
    UNION ALL
    SELECT chain_id, 'dangling link', min(path), count(*)
    FROM lower_link
    WHERE end_kind IS NULL
    GROUP BY chain_id
    UNION ALL
    SELECT node.chain_id, 'dangling link', min(link.path), count(*)
    FROM link
    JOIN node USING (layer)
    WHERE link.end_kind = 'directory'
    GROUP BY node.chain_id
)

SELECT chain_id, rule, min(path) AS path, sum(paths)::BIGINT AS paths
FROM found
GROUP BY chain_id, rule;
