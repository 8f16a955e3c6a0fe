-- Question: Which paths of the layer of each new chain node go through a symlink?
-- Grain:    one row per (node, link of a layer below), and per (node, path through a link of the
--           layer itself)
-- Params:   none
-- Columns:  node_id  UUID     the layer in its place
--           path     VARCHAR  the smallest path that goes through the link
--           paths    BIGINT   number of these paths
--           is_own   BOOLEAN  the link is one of the layer itself
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
    SELECT DISTINCT inside.layer, inside.path
    FROM inside
    JOIN links
        ON links.layer = inside.layer
        AND links.path = inside.cover
        AND links.member < inside.member
    LEFT JOIN listed ON listed.layer = inside.layer AND listed.path = inside.cover
    WHERE NOT coalesce(listed.member BETWEEN links.member AND inside.member, FALSE)
)

SELECT node.node_id, through_lower.path, through_lower.paths, FALSE AS is_own
FROM through_lower
JOIN new_node USING (chain_id)
JOIN node USING (chain_id)
UNION ALL
SELECT node.node_id, through_own.path, 1, TRUE
FROM through_own
JOIN node USING (layer)
JOIN new_node USING (chain_id)
ORDER BY node_id, path, paths, is_own;
