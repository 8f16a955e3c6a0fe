-- Question: Which things were skipped, could not be verified, or are read differently by other
--           tools?
-- Grain:    one row per problem; a blob that several images need has one
-- Params:   none
-- Columns:  source    VARCHAR  location
--           subject   VARCHAR  image, layer or file with the problem
--           code      VARCHAR  stable, documented in docs/problems.md
--           message   VARCHAR  what was expected and found
--           severity  VARCHAR  error or note
--           images    VARCHAR[]  names of the images that it concerns, sorted; empty if it is not
--                                about a blob
-- Source:   docs/problems.md; docs/measures.md, "What unpackers do"
WITH marks AS (
    SELECT layer, member, path FROM item WHERE kind = 'whiteout'
),

-- The other entries of the layers that have whiteouts, by each path at which a whiteout hides them.
other_entries AS (
    SELECT layer, member, path, kind, unnest(list_append(ancestors_of(path), path)) AS touched
    FROM item
    WHERE NOT is_mark(kind) AND layer IN (SELECT layer FROM marks)
),

whiteout_conflicts AS (
    SELECT
        marks.layer,
        marks.path,
        bool_or(other_entries.member < marks.member) AS is_after,
        bool_or(
            other_entries.member > marks.member
            AND (other_entries.path <> marks.path OR other_entries.kind = 'directory')
        ) AS is_before_folder,
        bool_or(other_entries.path = marks.path) AS is_named
    FROM marks
    JOIN other_entries ON other_entries.layer = marks.layer AND other_entries.touched = marks.path
    GROUP BY marks.layer, marks.path
),

repeated AS (
    SELECT item.layer, item.path
    FROM item
    JOIN item AS later ON later.layer = item.layer AND later.member = item.taken_by
    WHERE item.path = later.path
),

later_targets AS (
    SELECT link.layer, link.path
    FROM link
    JOIN item
        ON item.layer = link.layer AND item.path = link.lower_path AND item.member > link.member
    WHERE NOT is_mark(item.kind)
),

lower_targets AS (
    SELECT node.layer, lower_link.path
    FROM lower_link
    JOIN node USING (chain_id)
    WHERE lower_link.end_kind IS NOT NULL
),

-- Directories that a layer only implies: if a lower layer has a symlink of that path, unpackers
-- differ.
symlinks AS (
    SELECT layer, path FROM item WHERE kind = 'symlink' AND taken_by IS NULL
),

implied AS (
    SELECT folders.layer, folders.folder
    FROM (
        SELECT DISTINCT layer, unnest(ancestors_of(folder) || [folder]) AS folder
        FROM (
            SELECT DISTINCT layer, parent_of(path) AS folder
            FROM item
            WHERE path <> '' AND NOT is_mark(kind)
        ) AS parents
    ) AS folders
    SEMI JOIN symlinks ON symlinks.path = folders.folder
    ANTI JOIN item ON item.layer = folders.layer AND item.path = folders.folder
),

-- The topmost entry or mark of such a directory's path in the lower layers.
lower_entries AS (
    SELECT
        above.chain_id,
        implied.layer,
        implied.folder,
        arg_max(item.kind, (above.below_position, item.member)) AS kind
    FROM implied
    JOIN above ON above.layer = implied.layer
    JOIN item ON item.layer = above.below_layer AND item.path = implied.folder
    WHERE rule_at(item.kind) IS NOT NULL
    GROUP BY above.chain_id, implied.layer, implied.folder
),

-- Valid entries that real stores show differently: docs/catalog.md, "Where stores differ".
divergences AS (
    SELECT layer, path, 'whiteout-after-entry' AS case_name FROM whiteout_conflicts WHERE is_after
    UNION
    SELECT
        layer,
        path,
        CASE WHEN is_named THEN 'whiteout-before-directory' ELSE 'whiteout-before-implied' END
    FROM whiteout_conflicts
    WHERE is_before_folder
    UNION
    SELECT layer, path, 'duplicate-path' FROM repeated
    UNION
    SELECT layer, path, 'link-to-later' FROM later_targets
    UNION
    SELECT layer, path, 'link-to-lower' FROM lower_targets
    UNION
    SELECT layer, folder, 'through-symlink' FROM lower_entries WHERE kind = 'symlink'
)

SELECT source, subject, code, message, severity, coalesce(images, []) AS images
FROM scan_problems
UNION ALL
SELECT
    '' AS source,
    layers.diff_id AS subject,
    'entry-flagged' AS code,
    entries.flags || ': ' || entries.path AS message,
    'note' AS severity,
    [] AS images
FROM entries
JOIN layers USING (layer)
-- This reads entries, because item leaves out ignored entries, which have flags too.
WHERE entries.flags IS NOT NULL AND entries.layer IN (SELECT layer FROM node)
UNION ALL
SELECT
    '' AS source,
    layers.diff_id AS subject,
    'entry-flagged' AS code,
    divergences.case_name || ': ' || divergences.path AS message,
    'note' AS severity,
    [] AS images
FROM divergences
JOIN layers USING (layer)
UNION ALL
SELECT
    '' AS source,
    coalesce(layers.diff_id, lower_link.chain_id) AS subject,
    'dangling-hard-link' AS code,
    lower_link.path || ' links to ' || lower_link.lower_path || ', which is not there' AS message,
    'note' AS severity,
    [] AS images
FROM lower_link
JOIN node USING (chain_id)
LEFT JOIN layers USING (layer)
WHERE lower_link.end_kind IS NULL
UNION ALL
SELECT
    '' AS source,
    layers.diff_id AS subject,
    'dangling-hard-link' AS code,
    link.path || ' links to ' || item.link || ', which is a folder' AS message,
    'note' AS severity,
    [] AS images
FROM link
JOIN item USING (layer, member)
JOIN layers USING (layer)
WHERE link.end_kind = 'directory'
ORDER BY severity, source, subject, code, message;
