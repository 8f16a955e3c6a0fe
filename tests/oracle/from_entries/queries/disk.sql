-- Question: What takes the disk space, in rows that add up to what du counts?
-- Grain:    one row per (source, kind), or per (source, kind, owner); one per source or folder
--           whose
--           disk usage is unknown
-- Params:   $by     VARCHAR    kind or owner
--           $kinds  VARCHAR[]  only these kinds; empty for all
--           $below  VARCHAR    only what is at this absolute path or below it; empty for all
-- Columns:  source           VARCHAR    location, or the folder that was scanned for what is in no
--                                       source
--           kind             VARCHAR    as in docs/disk.md; unknown if it was not measured
--           owner            VARCHAR    image, container, volume or other user; null by kind, and
--                                       if there is none
--           places           BIGINT     files and folders that these bytes are in; null if unknown
--           allocated_bytes  BIGINT     allocated by the file system, as du counts; null if unknown
--           file_bytes       BIGINT     sizes of regular files added up; null if unknown
--           files            BIGINT     number of regular files; null if unknown
--           changed          VARCHAR    latest change, UTC; null if unknown
--           command          VARCHAR[]  command of the store's own tools that removes all of it;
--                                       null if there is no one command
--           path             VARCHAR    the largest of the places, below the source
--           unknown          VARCHAR    why the bytes are unknown; null if they are known
-- Source:   docs/measures.md, "Every byte on disk has a row", "Unknown is not zero"
WITH chosen AS (
    SELECT
        *,
        CASE WHEN $by = 'owner' THEN owner END AS row_owner
    FROM disk_place
    WHERE
        (len($kinds::VARCHAR[]) = 0 OR list_contains($kinds::VARCHAR[], kind))
        AND ($below::VARCHAR = '' OR is_at_or_below(place, $below::VARCHAR))
),

measured AS (
    SELECT
        source,
        kind,
        row_owner AS owner,
        count(*) AS places,
        sum(allocated_bytes)::BIGINT AS allocated_bytes,
        sum(file_bytes)::BIGINT AS file_bytes,
        sum(files)::BIGINT AS files,
        utc_text(max(changed)) AS changed,
        CASE
            WHEN count(DISTINCT command) = 1 AND len(any_value(command)) > 0
                THEN any_value(command)
        END AS command,
        arg_min(path, (-allocated_bytes, path)) AS path,
        NULL::VARCHAR AS unknown
    FROM chosen
    GROUP BY source, kind, row_owner
),

-- Sources of object stores have no disk usage, and scans of earlier versions measured none.
unmeasured AS (
    SELECT
        source,
        '' AS path,
        CASE
            WHEN contains(source, '://') THEN 'the disk usage of an object store is not known'
            ELSE 'not measured by its scan: scan it again'
        END AS unknown
    FROM scan_sources
    WHERE source NOT IN (SELECT source FROM scan_disk)
    UNION ALL
    SELECT source, subject, message
    FROM scan_problems
    WHERE severity = 'error' AND contains(message, 'not counted in disk usage')
)

SELECT * FROM measured
UNION ALL BY NAME
SELECT source, 'unknown' AS kind, path, unknown
FROM unmeasured
WHERE
    (len($kinds::VARCHAR[]) = 0 OR list_contains($kinds::VARCHAR[], 'unknown'))
    AND ($below::VARCHAR = '' OR is_at_or_below(place_in(source, path), $below::VARCHAR))
ORDER BY allocated_bytes DESC NULLS FIRST, source, kind, owner NULLS FIRST, path;
