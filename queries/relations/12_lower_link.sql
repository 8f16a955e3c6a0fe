-- Question: Which file of a lower layer is each hard link of a chain node another name of?
-- Grain:    one row per (chain ID, link) whose target is not in the layer itself; dangling links
--           too
-- Params:   none
-- Columns:  chain_id      VARCHAR  the layer in its place
--           member        INTEGER  the link
--           path          VARCHAR  its name
--           lower_path    VARCHAR  its target
--           inode_chain   VARCHAR  chain ID that the file was added at; null if it dangles
--           inode_member  INTEGER  the file; null if it dangles
--           end_kind      VARCHAR  kind of the target; null if it dangles
-- Source:   docs/measures.md, "Hard links"
--
-- A link is resolved for each chain node, in the view of its parent chain.
WITH RECURSIVE wanted AS (
    SELECT node.chain_id, node.layer, link.member, link.path, link.lower_path
    FROM node
    JOIN link USING (layer)
    WHERE link.lower_path IS NOT NULL
),

sought AS (
    SELECT DISTINCT chain_id, lower_path FROM wanted
),

-- The topmost entry of the path in the layers below.
tops AS (
    SELECT
        sought.chain_id,
        sought.lower_path,
        max((above.below_position, item.member)) AS place,
        arg_max(above.below, (above.below_position, item.member)) AS top_chain,
        arg_max(item.kind, (above.below_position, item.member)) AS kind
    FROM sought
    JOIN above USING (chain_id)
    JOIN item ON item.layer = above.below_layer AND item.path = sought.lower_path
    WHERE NOT is_mark(item.kind) AND item.taken_by IS NULL
    GROUP BY sought.chain_id, sought.lower_path
),

lookups AS (
    SELECT DISTINCT chain_id, lower_path, unnest(ancestors_of(lower_path)) AS folder FROM sought
),

-- That entry is not visible if a layer between hides it, or a directory above it.
hidden AS (
    SELECT tops.chain_id, tops.lower_path
    FROM tops
    JOIN above ON above.chain_id = tops.chain_id AND above.below_position > tops.place[1]
    JOIN cover ON cover.layer = above.below_layer AND cover.path = tops.lower_path
    WHERE cover.scope = 'at' AND NOT (cover.keeps_directories AND tops.kind = 'directory')
    UNION
    SELECT tops.chain_id, tops.lower_path
    FROM tops
    JOIN lookups USING (chain_id, lower_path)
    JOIN above ON above.chain_id = tops.chain_id AND above.below_position > tops.place[1]
    JOIN cover ON cover.layer = above.below_layer AND cover.path = lookups.folder
    WHERE cover.scope = 'below'
),

providers AS (
    SELECT tops.chain_id, tops.lower_path, tops.top_chain, tops.place[2] AS member
    FROM tops
    ANTI JOIN hidden USING (chain_id, lower_path)
),

-- The entry that provides the path may itself be a link to a file of a still lower layer.
followed AS (
    SELECT
        wanted.chain_id,
        wanted.member,
        wanted.chain_id AS stop_chain,
        wanted.lower_path,
        NULL::INTEGER AS end_member,
        NULL::VARCHAR AS end_kind
    FROM wanted
    UNION ALL
    SELECT
        followed.chain_id,
        followed.member,
        providers.top_chain,
        link.lower_path,
        CASE
            WHEN item.kind <> 'hardlink' THEN item.member
            ELSE link.end_member
        END,
        CASE WHEN item.kind <> 'hardlink' THEN item.kind ELSE link.end_kind END
    FROM followed
    JOIN providers
        ON providers.chain_id = followed.stop_chain AND providers.lower_path = followed.lower_path
    JOIN node ON node.chain_id = providers.top_chain
    JOIN item ON item.layer = node.layer AND item.member = providers.member
    LEFT JOIN link ON link.layer = item.layer AND link.member = item.member
    WHERE followed.end_member IS NULL
),

found AS (
    SELECT * FROM followed WHERE end_member IS NOT NULL AND end_kind <> 'directory'
)

SELECT
    wanted.chain_id,
    wanted.member,
    wanted.path,
    wanted.lower_path,
    found.stop_chain AS inode_chain,
    found.end_member AS inode_member,
    found.end_kind
FROM wanted
LEFT JOIN found USING (chain_id, member);
