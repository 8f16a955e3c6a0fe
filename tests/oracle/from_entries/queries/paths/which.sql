-- Question: Which branches of the image have a path or hide it, from the top down, and which one is
--           seen?
-- Grain:    one row per (branch, entry of the path or mark that hides it); one empty row for a
--           branch with neither; the session holds only one image
-- Params:   $path       VARCHAR  from the root, in printable form; '' is the root
--           $container  VARCHAR  ID of a container whose writable branch is on top; null for none
-- Columns:  position         INTEGER    layer index, 0 = base; the writable branch is above all
--           mode             VARCHAR    rw: writable branch; wh: a mark, or another entry at an
--                                       ancestor, that hides the path; ro: else
--           state            VARCHAR    seen; merged: a directory that an upper branch adds to;
--                                       hidden; hides: a mark; dangling: a hard link without
--                                       target; absent
--           kind             VARCHAR    kind of the entry, hard links resolved; null without an
--                                       entry or target
--           size_bytes       BIGINT     logical size of a regular file; null without an entry or
--                                       target
--           cause            VARCHAR    why it is hidden, as in shadowed_files; null if it is not
--                                       hidden, or if contents were not compared
--           changed_fields   VARCHAR[]  fields that differ; empty unless metadata_only
--           hidden_position  INTEGER    position of the branch that hides it; null if it is not
--                                       hidden
--           created_by       VARCHAR    build step of the branch; null if the config gives none,
--                                       and for a container
--           hidden_by        VARCHAR    build step of the branch that hides it; null if it is not
--                                       hidden, or as created_by
--           path             VARCHAR    path of the entry: the given path or one of its ancestors;
--                                       null without an entry
--           flags            VARCHAR    cases in which unpackers treat it differently,
--                                       comma-separated; null without one
-- Source:   docs/measures.md, "Branch", "What hides a file"; docs/catalog.md, "Where stores differ"
WITH tops AS (
    SELECT max(position) AS position FROM stack
),

branches AS (
    SELECT position, FALSE AS writable, chain_id, layer, created_by FROM stack
    UNION ALL
    SELECT coalesce(tops.position + 1, 0)::INTEGER, TRUE, NULL, scan_containers.layer, NULL
    FROM scan_containers
    CROSS JOIN tops
    WHERE scan_containers.container_id = $container
),

things AS (
    SELECT branches.*, item.* EXCLUDE (layer)
    FROM branches
    JOIN item USING (layer)
    WHERE NOT branches.writable
    UNION ALL
    SELECT branches.*, entries.* EXCLUDE (layer), NULL, FALSE, NULL
    FROM branches
    JOIN entries USING (layer)
    WHERE branches.writable AND entries.kind <> 'ignored'
),

own AS (
    SELECT * FROM things WHERE path = $path AND NOT is_mark(kind)
),

-- A hard link has the kind and the metadata of its target, which is in its own layer, in a lower
-- layer or in the writable branch.
resolved AS (
    SELECT
        own.position,
        own.writable,
        own.member,
        own.is_merged,
        own.kind = 'directory' AS lists_directory,
        own.taken_by IS NOT NULL AS superseded,
        target.kind IS NULL AS dangling,
        coalesce(target.kind, own.kind) AS kind,
        coalesce(target.size_bytes, own.size_bytes) AS size_bytes,
        target.content_hash,
        target.mode,
        target.uid,
        target.gid,
        target.mtime_ns,
        target.xattrs
    FROM own
    LEFT JOIN link ON link.layer = own.layer AND link.member = own.member
    LEFT JOIN lower_link ON lower_link.chain_id = own.chain_id AND lower_link.member = own.member
    LEFT JOIN node AS lower_node ON lower_node.chain_id = lower_link.inode_chain
    LEFT JOIN entries AS target
        ON target.layer = coalesce(lower_node.layer, own.layer)
        AND CASE
            WHEN own.kind <> 'hardlink' THEN target.member = own.member
            WHEN own.writable THEN target.path = own.link AND target.kind <> 'hardlink'
            ELSE
                target.member = coalesce(link.end_member, lower_link.inode_member)
                AND target.kind <> 'directory'
        END
),

-- Lower branches are compared with the last member of the path in a branch.
uppers AS (
    SELECT * FROM resolved QUALIFY member = max(member) OVER (PARTITION BY position)
),

-- Entries below the path imply that the path is a directory.
holders AS (
    SELECT DISTINCT position, writable
    FROM things
    WHERE
        NOT is_mark(kind)
        AND taken_by IS NULL
        AND path <> ''
        AND ($path = '' OR starts_with(path, $path || '/'))
),

listed AS (
    SELECT position FROM own WHERE taken_by IS NULL
),

copies AS (
    SELECT * FROM resolved
    UNION ALL BY NAME
    SELECT
        holders.position,
        holders.writable,
        'directory' AS kind,
        0 AS size_bytes,
        FALSE AS superseded,
        FALSE AS dangling
    FROM holders
    ANTI JOIN listed USING (position)
),

ancestors AS (
    SELECT unnest(ancestors_of($path::VARCHAR)) AS path
),

-- Marks at the path, and marks and entries that are not directories at its ancestors.
marks AS (
    SELECT position, member, kind, path, rule_at(kind) AS rule
    FROM things
    WHERE path = $path AND is_mark(kind) AND rule_at(kind) IS NOT NULL
    UNION ALL
    SELECT things.position, things.member, things.kind, things.path, rule_below(things.kind)
    FROM things
    JOIN ancestors USING (path)
    WHERE rule_below(things.kind) IS NOT NULL
),

-- What hides which copy, as in the relation hit.
covered AS (
    SELECT
        copies.position,
        copies.member,
        uppers.position AS upper_position,
        'same' AS rule,
        0 AS distance,
        CASE
            WHEN copies.kind <> 'file' OR uppers.kind <> 'file' THEN rule_cause('same')
            WHEN contents_differ(copies, uppers) THEN 'modified'
            -- overlay keeps the data of such a file in a lower branch
            WHEN uppers.content_hash IS NULL AND uppers.size_bytes = 0 THEN 'metadata_only'
            WHEN contents_differ(copies, uppers) IS NULL THEN NULL
            ELSE 'metadata_only'
        END AS cause,
        metadata_between(copies, uppers) AS differing
    FROM copies
    JOIN uppers ON uppers.position > copies.position
    WHERE NOT (copies.kind = 'directory' AND uppers.lists_directory) AND NOT uppers.is_merged
    UNION ALL
    SELECT
        copies.position,
        copies.member,
        marks.position AS upper_position,
        marks.rule,
        -len(marks.path),
        rule_cause(marks.rule),
        []
    FROM copies
    JOIN marks ON marks.position > copies.position
    UNION ALL
    SELECT
        copies.position,
        copies.member,
        holders.position AS upper_position,
        'implied',
        0,
        rule_cause('implied'),
        []
    FROM copies
    JOIN holders ON holders.position > copies.position
    WHERE copies.kind <> 'directory'
),

-- The lowest branch that hides an entry hides it; upper branches find it hidden already.
hiders AS (
    SELECT
        position,
        member,
        min(upper_position) AS hidden_position,
        arg_min_null(cause, (upper_position, rule_rank(rule), distance, cause)) AS cause,
        arg_min_null(differing, (upper_position, rule_rank(rule), distance, cause)) AS differing
    FROM covered
    GROUP BY position, member
),

judged AS (
    SELECT
        copies.position,
        copies.writable,
        copies.member,
        copies.kind,
        copies.size_bytes,
        copies.dangling,
        CASE WHEN copies.superseded THEN copies.position ELSE hiders.hidden_position END
            AS hidden_position,
        CASE
            WHEN copies.superseded THEN 'superseded'
            WHEN hiders.cause = 'metadata_only' AND len(hiders.differing) = 0 THEN 'unchanged'
            ELSE hiders.cause
        END AS cause,
        CASE
            WHEN NOT copies.superseded AND hiders.cause = 'metadata_only' THEN hiders.differing
            ELSE []
        END AS changed_fields
    FROM copies
    LEFT JOIN hiders
        ON hiders.position = copies.position
        AND hiders.member IS NOT DISTINCT FROM copies.member
),

seen AS (
    SELECT max(position) AS position FROM judged WHERE hidden_position IS NULL AND NOT dangling
),

-- The uppermost branch with a mark that makes the directory, if nothing else is seen there.
made AS (
    SELECT max(things.position) AS position
    FROM things
    CROSS JOIN seen
    WHERE
        seen.position IS NULL
        AND NOT things.writable
        AND is_mark(things.kind)
        AND list_contains(mark_folders_of(things.kind, things.path), $path)
        AND $path IN (SELECT path FROM visible WHERE kind = 'directory' AND position IS NULL)
        AND things.position >= (SELECT coalesce(max(position), 0) FROM marks)
),

answers AS (
    SELECT
        judged.position,
        CASE WHEN judged.writable THEN 'rw' ELSE 'ro' END AS mode,
        CASE
            WHEN judged.hidden_position IS NOT NULL THEN 'hidden'
            WHEN judged.dangling THEN 'dangling'
            WHEN judged.position = seen.position THEN 'seen'
            ELSE 'merged'
        END AS state,
        judged.member,
        judged.kind,
        judged.size_bytes,
        judged.cause,
        judged.changed_fields,
        judged.hidden_position,
        $path::VARCHAR AS path
    FROM judged
    CROSS JOIN seen
    UNION ALL
    SELECT position, 'ro', 'seen', NULL, 'directory', 0, NULL, [], NULL, $path
    FROM made
    WHERE position IS NOT NULL
    UNION ALL
    SELECT position, 'wh', 'hides', member, kind, NULL, NULL, [], NULL, path FROM marks
)

SELECT
    branches.position,
    coalesce(answers.mode, CASE WHEN branches.writable THEN 'rw' ELSE 'ro' END) AS mode,
    coalesce(answers.state, 'absent') AS state,
    answers.kind,
    answers.size_bytes,
    answers.cause,
    coalesce(answers.changed_fields, []) AS changed_fields,
    answers.hidden_position,
    branches.created_by,
    hider.created_by AS hidden_by,
    answers.path,
    flagged.flags
FROM branches
LEFT JOIN answers USING (position)
LEFT JOIN branches AS hider ON hider.position = answers.hidden_position
LEFT JOIN flagged ON flagged.layer = branches.layer AND flagged.path = answers.path
ORDER BY branches.position DESC, answers.path DESC, answers.member DESC, answers.state;
