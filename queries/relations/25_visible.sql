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
--           inode_chain   VARCHAR  chain node that added the inode
--           inode_member  INTEGER  its member in that layer
-- Source:   docs/measures.md, "Merged view"; OCI image-spec layer.md, "Applying Changesets"
WITH placed AS (
    SELECT stack.image_id, stack.position, stack.chain_id, item.*
    FROM stack
    JOIN item USING (layer)
    WHERE item.path <> '' OR item.kind = 'opaque'
),

-- A path is looked up from the top layer down, so its topmost entry provides it.
tops AS (
    SELECT
        image_id,
        path,
        max(position) AS position,
        max((position, member))[2] AS member
    FROM placed
    WHERE kind NOT IN ('whiteout', 'opaque') AND taken_by IS NULL
    GROUP BY image_id, path
),

topmost AS (
    SELECT tops.image_id, tops.path, tops.position, placed.chain_id, placed.layer, placed.member
    FROM tops
    JOIN placed USING (image_id, path, position, member)
),

placed_folders AS (
    SELECT DISTINCT image_id, position, unnest(ancestors_of(path)) AS folder
    FROM placed
    WHERE kind NOT IN ('whiteout', 'opaque')
),

-- An entry or mark at any ancestor in a higher layer can hide the path.
covers AS (
    SELECT DISTINCT image_id, path, position, unnest(ancestors_of(path)) AS ancestor FROM topmost
),

-- A path is hidden by a whiteout of it, by an ancestor that is deleted or is not a directory, or by
-- an entry below it if it is not a directory itself.
hidden AS (
    SELECT topmost.image_id, topmost.path
    FROM topmost
    JOIN placed AS upper
        ON upper.image_id = topmost.image_id
        AND upper.path = topmost.path
        AND upper.position > topmost.position
    WHERE upper.kind = 'whiteout' OR (upper.kind <> 'opaque' AND upper.taken_by IS NOT NULL)
    UNION
    SELECT covers.image_id, covers.path
    FROM covers
    JOIN placed AS upper
        ON upper.image_id = covers.image_id
        AND upper.path = covers.ancestor
        AND upper.position > covers.position
    WHERE upper.kind <> 'directory'
    UNION
    -- An entry below a path that is not a directory replaces it.
    SELECT lower.image_id, lower.path
    FROM topmost AS lower
    JOIN item ON item.layer = lower.layer AND item.member = lower.member
    JOIN placed_folders AS upper
        ON upper.image_id = lower.image_id
        AND upper.folder = lower.path
        AND upper.position > lower.position
    WHERE item.kind <> 'directory'
),

seen AS (
    SELECT topmost.* FROM topmost ANTI JOIN hidden USING (image_id, path)
),

named AS (
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

parents AS (
    SELECT DISTINCT image_id, position, parent_of(path) AS folder
    FROM placed
    WHERE kind NOT IN ('whiteout', 'opaque') AND taken_by IS NULL
),

-- A path implies its parent directories. They remain after the path is deleted.
implied_paths AS (
    SELECT image_id, folder AS path, max(position) AS position
    FROM (
        SELECT image_id, position, folder FROM parents
        UNION ALL
        SELECT image_id, position, unnest(ancestors_of(folder)) FROM parents
    ) AS folders
    WHERE folder <> ''
    GROUP BY image_id, folder
),

implied AS (
    SELECT implied_paths.* FROM implied_paths ANTI JOIN named USING (image_id, path)
),

implied_covers AS (
    SELECT image_id, path, position, unnest(ancestors_of(path)) AS ancestor FROM implied
),

implied_hidden AS (
    SELECT implied.image_id, implied.path
    FROM implied
    JOIN placed AS upper
        ON upper.image_id = implied.image_id
        AND upper.path = implied.path
        AND upper.position > implied.position
    WHERE upper.kind NOT IN ('directory', 'opaque')
    UNION
    SELECT implied_covers.image_id, implied_covers.path
    FROM implied_covers
    JOIN placed AS upper
        ON upper.image_id = implied_covers.image_id
        AND upper.path = implied_covers.ancestor
        AND upper.position > implied_covers.position
    WHERE upper.kind <> 'directory'
)

SELECT * FROM named
UNION ALL
SELECT
    image_id,
    path,
    'directory',
    0,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL
FROM implied
ANTI JOIN implied_hidden USING (image_id, path);
