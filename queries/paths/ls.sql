-- Question: What does a container of the image see in a folder, or at a path that is none?
-- Grain:    one row per path; asked about one image
-- Params:   $path       VARCHAR  from the root, in printable form; '' is the root
--           $recursive  BOOLEAN  with all that lies below the folder, at any depth
-- Columns:  mode        VARCHAR    kind and permission bits, as 'ls -l' has them
--           uid         BIGINT     owner; null, as what else no layer says, for a folder that
--                                  no layer lists: something lies, or lay, below it
--           gid         BIGINT     group
--           size_bytes  BIGINT     logical size of a regular file; 0 for others
--           mtime       TIMESTAMP  UTC, whole seconds
--           position    INTEGER    layer index that provides it, 0 = base
--           created_by  VARCHAR    build step of that
--           path        VARCHAR    from the root, in printable form
--           link        VARCHAR    target of a symlink
-- Source:   MEASURES.md, "merged view"
WITH folder AS (
    SELECT path FROM visible WHERE path = $path AND kind = 'directory'
    UNION ALL
    SELECT '' WHERE $path = ''
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
    visible.link
FROM visible
LEFT JOIN stack USING (image_id, position)
WHERE
    CASE
        WHEN NOT EXISTS (SELECT path FROM folder) THEN visible.path = $path
        WHEN $recursive THEN $path = '' OR starts_with(visible.path, $path || '/')
        ELSE parent_of(visible.path) = $path
    END
ORDER BY visible.path, visible.image_id;
