-- Question: What does a container of the image see in a directory, or at another path?
-- Grain:    one row per path; the session holds only one image
-- Params:   $path       VARCHAR  from the root, in printable form; '' is the root
--           $recursive  BOOLEAN  list everything below the directory, at any depth
-- Columns:  mode        VARCHAR    kind and permission bits, as 'ls -l' shows them
--           uid         BIGINT     owner; null for an implied directory
--           gid         BIGINT     group; null for an implied directory
--           size_bytes  BIGINT     logical size of a regular file; 0 for others
--           mtime       TIMESTAMP  UTC, whole seconds; null for an implied directory
--           position    INTEGER    index of the layer that provides it, 0 = base; null for an
--                                  implied directory
--           created_by  VARCHAR    build step of that layer; null for an implied directory, or if
--                                  the config gives none
--           path        VARCHAR    from the root, in printable form
--           link        VARCHAR    target of a symlink; null for other kinds
--           flags       VARCHAR    cases in which unpackers show or treat the path differently,
--                                  comma-separated; null without one
-- Source:   docs/measures.md, "Merged view"; docs/catalog.md, "Where stores differ"
WITH asked_folder AS (
    SELECT path FROM visible WHERE path = $path AND kind = 'directory'
    UNION ALL
    SELECT '' WHERE $path = ''
),

image_flags AS (
    SELECT
        stack.image_id, flagged.path, string_agg(DISTINCT flagged.flags, ',' ORDER BY flagged.flags)
            AS flags
    FROM flagged
    JOIN stack USING (layer)
    GROUP BY stack.image_id, flagged.path
)

SELECT
    mode_text(visible.kind, visible.mode) AS mode,
    visible.uid,
    visible.gid,
    visible.size_bytes,
    date_trunc('second', make_timestamp(visible.mtime_ns // 1000)) AS mtime,
    visible.position,
    stack.created_by,
    visible.path,
    visible.link,
    image_flags.flags
FROM visible
LEFT JOIN stack USING (image_id, position)
LEFT JOIN image_flags USING (image_id, path)
WHERE
    CASE
        WHEN NOT EXISTS (SELECT path FROM asked_folder) THEN visible.path = $path
        WHEN $recursive THEN $path = '' OR starts_with(visible.path, $path || '/')
        ELSE parent_of(visible.path) = $path
    END
ORDER BY visible.path, visible.image_id;
