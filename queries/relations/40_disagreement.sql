-- Question: At which paths do layers hold what unpackers are known to treat in different ways?
-- Grain:    one row per (layer, path, case)
-- Params:   none
-- Columns:  layer      VARCHAR  key of the layer
--           path       VARCHAR  path of the entry, or of the directory above it, that differs
--           case_name  VARCHAR  the case, as in docs/catalog.md, "Where stores differ"
-- Source:   docs/measures.md, "What unpackers do"; docs/catalog.md, "Where stores differ"
--
-- Cases that a single member shows are flags of entries. These need other entries, of the layer or
-- of the layers below it. Layers of Windows are unpacked by other programs, of which none is known.
WITH item_here AS (
    SELECT * FROM item WHERE spelling IS NULL
),

marks AS (
    SELECT layer, member, path, kind FROM item_here WHERE is_mark(kind)
),

whiteouts AS (
    SELECT layer, member, path FROM marks WHERE kind = 'whiteout'
),

-- The other entries of the layers that have whiteouts, by each path at which a whiteout hides them.
other_entries AS (
    SELECT layer, member, path, kind, unnest(list_append(ancestors_of(path), path)) AS touched
    FROM item_here
    WHERE NOT is_mark(kind) AND layer IN (SELECT layer FROM whiteouts)
),

whiteout_conflicts AS (
    SELECT
        whiteouts.layer,
        whiteouts.path,
        bool_or(other_entries.member < whiteouts.member) AS is_after,
        bool_or(
            other_entries.member > whiteouts.member
            AND (other_entries.path <> whiteouts.path OR other_entries.kind = 'directory')
        ) AS is_before_folder,
        -- whether the folder itself comes before the entries in it
        arg_min(
            other_entries.path = whiteouts.path,
            CASE WHEN other_entries.member > whiteouts.member THEN other_entries.member END
        ) AS is_named
    FROM whiteouts
    JOIN other_entries
        ON other_entries.layer = whiteouts.layer AND other_entries.touched = whiteouts.path
    GROUP BY whiteouts.layer, whiteouts.path
),

mark_folders AS (
    SELECT layer, unnest(mark_folders_of(kind, path)) AS folder FROM marks
),

-- Whiteouts of a directory in which the layer has other marks.
marks_in_deleted AS (
    SELECT whiteouts.layer, whiteouts.path
    FROM whiteouts
    JOIN mark_folders
        ON mark_folders.layer = whiteouts.layer AND mark_folders.folder = whiteouts.path
),

-- Entries that a later entry of their layer replaces.
replaced AS MATERIALIZED (
    SELECT item.layer, item.path, item.kind, later.path AS later_path
    FROM item_here AS item
    JOIN item AS later ON later.layer = item.layer AND later.member = item.taken_by
    WHERE item.taken_by IS NOT NULL
),

repeated_marks AS (
    SELECT layer, path FROM marks GROUP BY layer, path, kind HAVING count(*) > 1
),

-- Hard links that come with other metadata than the file that they are another name of.
unlike_links AS (
    SELECT link.layer, link.end_member
    FROM link
    JOIN item_here AS name USING (layer, member)
    JOIN item AS target ON target.layer = link.layer AND target.member = link.end_member
    WHERE
        (name.mode, name.uid, name.gid) <> (target.mode, target.uid, target.gid)
        OR name.mtime_ns <> target.mtime_ns
        OR name.xattrs <> coalesce(target.xattrs, '')
),

later_targets AS (
    SELECT link.layer, link.path
    FROM link
    JOIN item_here AS item
        ON item.layer = link.layer AND item.path = link.lower_path AND item.member > link.member
    WHERE NOT is_mark(item.kind)
),

lower_targets AS (
    SELECT node.layer, lower_link.path
    FROM lower_link
    JOIN node USING (chain_id)
    WHERE lower_link.end_kind IS NOT NULL AND NOT node.is_windows
),

-- The folders that a layer's entries, marks and targets of hard links are in, with the first member
-- of each kind.
used_folders AS (
    SELECT
        layer,
        CASE WHEN kind = 'opaque' THEN path ELSE parent_of(path) END AS folder,
        min(member) FILTER (WHERE NOT is_mark(kind)) AS entry_member,
        min(member) FILTER (WHERE is_mark(kind)) AS mark_member,
        NULL::INTEGER AS target_member
    FROM item_here
    WHERE path <> ''
    GROUP BY ALL
    UNION ALL
    SELECT layer, parent_of(link), NULL, NULL, min(member)
    FROM item_here
    WHERE kind = 'hardlink' AND link <> ''
    GROUP BY ALL
),

all_folders AS MATERIALIZED (
    SELECT * REPLACE (unnest(list_append(ancestors_of(folder), folder)) AS folder)
    FROM used_folders
),

-- Most of these folders are directories like any other in all layers. Only the others can be of a
-- case.
special_paths AS (
    SELECT path
    FROM item
    WHERE
        path IN (SELECT folder FROM all_folders)
        AND (
            kind NOT IN ('directory', 'whiteout', 'opaque')
            OR (kind = 'directory' AND is_unlike_implied(mode, uid, gid, xattrs))
        )
    UNION
    SELECT folder FROM all_folders WHERE mark_member IS NOT NULL
),

own_entries AS (
    SELECT layer, path, min(member) AS member
    FROM item_here
    WHERE NOT is_mark(kind)
    GROUP BY layer, path
),

used AS (
    SELECT
        folders.layer,
        folders.folder,
        min(folders.entry_member) AS entry_member,
        min(folders.mark_member) AS mark_member,
        min(folders.target_member) AS target_member
    FROM all_folders AS folders
    SEMI JOIN special_paths ON special_paths.path = folders.folder
    WHERE folders.folder <> ''
    GROUP BY folders.layer, folders.folder
),

-- If a layer lists a folder before it uses it, all unpackers agree.
early_uses AS (
    SELECT
        used.*,
        least(used.entry_member, used.mark_member, used.target_member) AS first_member,
        own_entries.member IS NOT NULL AS is_listed
    FROM used
    LEFT JOIN own_entries
        ON own_entries.layer = used.layer AND own_entries.path = used.folder
    WHERE own_entries.member IS NULL OR own_entries.member > first_member
),

-- Nor do they see what a mark of the layer has hidden before.
deleted_first AS (
    SELECT DISTINCT early_uses.layer, early_uses.folder
    FROM early_uses
    JOIN marks
        ON marks.layer = early_uses.layer AND marks.member < early_uses.first_member
    WHERE
        starts_with(early_uses.folder, marks.path || '/')
        OR (marks.path = '' AND marks.kind = 'opaque')
        OR (marks.path = early_uses.folder AND marks.kind = 'whiteout')
),

wanted AS (
    SELECT
        node.chain_id,
        early_uses.*,
        node.chain_id IN (SELECT above.chain_id FROM above WHERE above.below_layer IS NULL)
            AS is_above_unknown,
        deleted_first.folder IS NOT NULL AS is_deleted
    FROM early_uses
    JOIN node USING (layer)
    LEFT JOIN deleted_first USING (layer, folder)
),

-- What the layers below have at such a path, listed or implied.
places AS (
    SELECT
        wanted.chain_id,
        wanted.folder,
        above.below AS place_chain,
        above.below_position AS position,
        item.layer AS place_layer,
        item.member,
        item.kind
    FROM wanted
    JOIN above USING (chain_id)
    JOIN item ON item.layer = above.below_layer AND item.path = wanted.folder
    WHERE NOT wanted.is_deleted AND NOT is_mark(item.kind) AND item.taken_by IS NULL
    UNION ALL
    SELECT
        wanted.chain_id,
        wanted.folder,
        above.below,
        above.below_position,
        cover.layer,
        NULL,
        'directory'
    FROM wanted
    JOIN above USING (chain_id)
    JOIN cover ON cover.layer = above.below_layer AND cover.path = wanted.folder
    WHERE NOT wanted.is_deleted AND cover.rule = 'implied'
),

-- What layers between hide is not there. An implied directory hides a symlink for overlay only.
hidden AS (
    SELECT places.chain_id, places.folder, places.position
    FROM places
    JOIN above ON above.chain_id = places.chain_id AND above.below_position > places.position
    JOIN cover ON cover.layer = above.below_layer AND cover.path = places.folder
    WHERE cover.scope = 'at' AND NOT cover.keeps_directories
    UNION
    SELECT places.chain_id, places.folder, places.position
    FROM (SELECT *, unnest(ancestors_of(folder)) AS ancestor FROM places) AS places
    JOIN above ON above.chain_id = places.chain_id AND above.below_position > places.position
    JOIN cover ON cover.layer = above.below_layer AND cover.path = places.ancestor
    WHERE cover.scope = 'below'
),

lower AS (
    SELECT * FROM places ANTI JOIN hidden USING (chain_id, folder, position)
),

-- The topmost listed entry counts, with hard links resolved.
lower_entries AS (
    SELECT
        lower.chain_id,
        lower.folder,
        CASE
            WHEN item.kind = 'hardlink' THEN coalesce(link.end_kind, lower_link.end_kind)
            ELSE item.kind
        END AS kind,
        is_unlike_implied(item.mode, item.uid, item.gid, item.xattrs) AS is_unlike
    FROM lower
    JOIN item ON item.layer = lower.place_layer AND item.member = lower.member
    LEFT JOIN link ON link.layer = item.layer AND link.member = item.member
    LEFT JOIN lower_link
        ON lower_link.chain_id = lower.place_chain AND lower_link.member = item.member
    QUALIFY lower.position = max(lower.position) OVER (PARTITION BY lower.chain_id, lower.folder)
),

lower_folders AS (
    SELECT DISTINCT chain_id, folder FROM lower
),

found AS (
    SELECT
        wanted.*,
        lower_entries.kind,
        lower_entries.is_unlike,
        lower_folders.folder IS NULL AND (wanted.is_deleted OR NOT wanted.is_above_unknown)
            AS is_nowhere
    FROM wanted
    LEFT JOIN lower_entries USING (chain_id, folder)
    LEFT JOIN lower_folders USING (chain_id, folder)
),

below_others AS (
    SELECT DISTINCT found.layer, found.folder
    FROM found
    JOIN found AS outer_found
        ON outer_found.chain_id = found.chain_id
        AND starts_with(found.folder, outer_found.folder || '/')
    WHERE outer_found.kind <> 'directory'
)

SELECT layer, path, 'whiteout-after-entry' AS case_name FROM whiteout_conflicts WHERE is_after
UNION
SELECT
    layer,
    path,
    CASE WHEN is_named THEN 'whiteout-before-directory' ELSE 'whiteout-before-implied' END
FROM whiteout_conflicts
WHERE is_before_folder
UNION
SELECT layer, path, 'whiteout-with-marks-below' FROM marks_in_deleted
UNION
SELECT layer, path, 'duplicate-path' FROM replaced WHERE path = later_path
UNION
SELECT layer, path, 'duplicate-path' FROM repeated_marks
UNION
SELECT layer, path, 'entry-below-file' FROM replaced WHERE starts_with(later_path, path || '/')
UNION
-- The unpackers of docker and podman set the times of directories at the end of the layer.
SELECT layer, path, 'directory-replaced'
FROM replaced
WHERE kind = 'directory' AND starts_with(path, later_path || '/')
UNION
SELECT layer_name.layer, layer_name.path, 'link-metadata'
FROM unlike_links
JOIN layer_name
    ON layer_name.layer = unlike_links.layer
    AND layer_name.inode_member = unlike_links.end_member
UNION
SELECT layer, path, 'link-to-later' FROM later_targets
UNION
SELECT layer, path, 'link-to-lower' FROM lower_targets
UNION
SELECT layer, folder, 'through-symlink' FROM found WHERE kind = 'symlink'
UNION
SELECT layer, folder, 'implied-over-file'
FROM found
WHERE entry_member IS NOT NULL AND kind NOT IN ('directory', 'symlink')
UNION
SELECT layer, folder, 'mark-below-file'
FROM found
WHERE mark_member IS NOT NULL AND kind NOT IN ('directory', 'symlink')
UNION
SELECT layer, folder, 'implied-metadata'
FROM found
WHERE
    kind = 'directory'
    AND is_unlike
    AND NOT is_listed
    AND (entry_member IS NOT NULL OR mark_member IS NOT NULL)
UNION
SELECT layer, folder, 'mark-in-nothing'
FROM found
ANTI JOIN below_others USING (layer, folder)
WHERE is_nowhere AND mark_member IS NOT NULL AND entry_member IS NULL AND NOT is_listed;
