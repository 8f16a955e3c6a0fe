-- Question: Which paths does a container of each image see, and which layer provides each?
-- Grain:    one row per (image, visible path); implied directories too
-- Params:   none
-- Columns:  image_id      VARCHAR  config digest as computed
--           path          VARCHAR  visible path; except the root
--           kind          VARCHAR  kind, hard links resolved
--           size_bytes    BIGINT   logical size of a regular file
--           mode          INTEGER  permission bits; null for an implied directory, as are all
--                                  columns below
--           uid           BIGINT   owner
--           gid           BIGINT   group
--           mtime_ns      BIGINT   nanoseconds since 1970
--           link          VARCHAR  target of a symlink
--           device        VARCHAR  major:minor
--           xattrs        VARCHAR  JSON object; null if there are none
--           content_hash  BLOB     BLAKE3 of a regular file
--           position      INTEGER  layer index that provides the name
--           layer         VARCHAR  key of the layer that added the inode
--           inode_chain   VARCHAR  chain node that added the inode
--           inode_member  INTEGER  its member in that layer
-- Source:   docs/measures.md, "Merged view"; OCI image-spec layer.md, "Applying Changesets"
--
-- A path is looked up from the top layer down: its topmost entry provides it, unless a layer above
-- that entry hides it.
WITH tops AS (
    SELECT stack.image_id, item.path, max((stack.position, item.member)) AS place
    FROM stack
    JOIN item USING (layer)
    WHERE NOT is_mark(item.kind) AND item.taken_by IS NULL AND item.path <> ''
    GROUP BY stack.image_id, item.path
),

topmost AS (
    SELECT
        tops.image_id,
        tops.path,
        parent_of(tops.path) AS folder,
        stack.position,
        stack.chain_id,
        item.layer,
        item.member,
        item.kind
    FROM tops
    JOIN stack ON stack.image_id = tops.image_id AND stack.position = tops.place[1]
    JOIN item ON item.layer = stack.layer AND item.member = tops.place[2]
),

image_covers AS MATERIALIZED (
    SELECT stack.image_id, stack.position, cover.* EXCLUDE (layer)
    FROM stack
    JOIN cover USING (layer)
),

-- The highest layers that hide a directory, and any other entry, at a path.
covered_paths AS (
    SELECT
        image_id,
        path,
        max(position) FILTER (WHERE NOT keeps_directories) AS directory_position,
        max(position) AS other_position
    FROM image_covers
    WHERE scope = 'at'
    GROUP BY image_id, path
),

-- A mark implies folders as an entry does, but they replace nothing.
mark_folders AS (
    SELECT layer, unnest(mark_folders_of(kind, path)) AS path FROM item WHERE is_mark(kind)
),

folders AS (
    SELECT path AS folder FROM cover WHERE rule = 'implied'
    UNION
    SELECT parent_of(path) FROM mark_folders WHERE path <> ''
),

folder_ancestors AS (
    SELECT folder, folder AS ancestor FROM folders
    UNION ALL
    SELECT folder, unnest(ancestors_of(folder)) FROM folders
),

-- The highest layer that hides everything in a directory.
covered_folders AS (
    SELECT image_covers.image_id, folder_ancestors.folder, max(image_covers.position) AS position
    FROM image_covers
    JOIN folder_ancestors ON folder_ancestors.ancestor = image_covers.path
    WHERE image_covers.scope = 'below'
    GROUP BY image_covers.image_id, folder_ancestors.folder
),

seen AS (
    SELECT topmost.*
    FROM topmost
    LEFT JOIN covered_paths USING (image_id, path)
    LEFT JOIN covered_folders USING (image_id, folder)
    WHERE
        topmost.position >= coalesce(
            greatest(
                CASE
                    WHEN topmost.kind = 'directory' THEN covered_paths.directory_position
                    ELSE covered_paths.other_position
                END,
                covered_folders.position
            ),
            0
        )
),

named AS MATERIALIZED (
    SELECT
        seen.image_id,
        seen.path,
        target.kind,
        target.size_bytes,
        target.mode,
        target.uid,
        target.gid,
        target.mtime_ns,
        target.link,
        target.device,
        target.xattrs,
        target.content_hash,
        seen.position,
        target.layer,
        coalesce(lower_link.inode_chain, seen.chain_id) AS inode_chain,
        target.member AS inode_member
    FROM seen
    JOIN item AS name ON name.layer = seen.layer AND name.member = seen.member
    LEFT JOIN link ON link.layer = seen.layer AND link.member = seen.member
    LEFT JOIN lower_link
        ON lower_link.chain_id = seen.chain_id AND lower_link.member = seen.member
    LEFT JOIN node AS lower_node ON lower_node.chain_id = lower_link.inode_chain
    JOIN item AS target
        ON target.layer = coalesce(lower_node.layer, name.layer)
        AND target.member = CASE
            WHEN name.kind <> 'hardlink' THEN name.member
            ELSE coalesce(link.end_member, lower_link.inode_member)
        END
    -- A directory cannot have a second name, so a hard link to one dangles.
    WHERE name.kind <> 'hardlink' OR target.kind <> 'directory'
),

-- A path implies its parent directories. They remain after the path is deleted.
implied AS (
    SELECT image_id, path, position FROM image_covers WHERE rule = 'implied' AND path <> ''
),

deleted_folders AS (
    SELECT DISTINCT mark_folders.layer, mark_folders.path
    FROM mark_folders
    JOIN item USING (layer)
    WHERE
        item.kind = 'whiteout'
        AND (
            item.path = mark_folders.path OR starts_with(mark_folders.path, item.path || '/')
        )
),

made_by_marks AS (
    SELECT stack.image_id, mark_folders.path, max(stack.position) AS position
    FROM mark_folders
    JOIN stack USING (layer)
    ANTI JOIN deleted_folders
        ON deleted_folders.layer = mark_folders.layer AND deleted_folders.path = mark_folders.path
    ANTI JOIN named ON named.image_id = stack.image_id AND named.path = mark_folders.path
    WHERE mark_folders.path <> ''
    GROUP BY stack.image_id, mark_folders.path
),

below_others AS (
    SELECT DISTINCT folders.image_id, folders.path
    FROM (SELECT *, unnest(ancestors_of(path)) AS ancestor FROM made_by_marks) AS folders
    JOIN named ON named.image_id = folders.image_id AND named.path = folders.ancestor
    WHERE named.kind <> 'directory'
),

unlisted AS (
    SELECT
        folders.image_id,
        folders.path,
        parent_of(folders.path) AS folder,
        max(folders.position) AS position
    FROM (
        SELECT * FROM implied
        UNION ALL
        SELECT * FROM made_by_marks ANTI JOIN below_others USING (image_id, path)
    ) AS folders
    ANTI JOIN named USING (image_id, path)
    GROUP BY folders.image_id, folders.path
)

SELECT * FROM named
UNION ALL BY NAME
SELECT unlisted.image_id, unlisted.path, 'directory' AS kind, 0 AS size_bytes
FROM unlisted
LEFT JOIN covered_paths USING (image_id, path)
LEFT JOIN covered_folders USING (image_id, folder)
WHERE
    unlisted.position
    >= coalesce(greatest(covered_paths.directory_position, covered_folders.position), 0);
