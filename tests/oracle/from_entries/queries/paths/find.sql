-- Question: Which visible paths of the image match a pattern?
-- Grain:    one row per path; the session holds only one image
-- Params:   $pattern  VARCHAR  regular expression for the whole path, in printable form
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
WITH image_flags AS (
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
WHERE regexp_full_match(visible.path, $pattern)
ORDER BY visible.path, visible.image_id;
