-- Question: What does the disk give back in each source if all that nothing references is removed?
-- Grain:    one row per source and command; sources without such places are left out, unless what
--           is unreferenced is unknown
-- Params:   $before  DOUBLE  only what was not changed since this time, in seconds since 1970; null
--                            for all
-- Columns:  source      VARCHAR    location
--           kind        VARCHAR    format
--           places      BIGINT     number of files and folders; null if that is unknown
--           bytes       BIGINT     as the file system allocates them; of a source that was not
--                                  measured, the size of the blobs; null if that is unknown
--           oldest      TIMESTAMP  UTC; the earliest change of one of them; null if not measured
--           newest      TIMESTAMP  UTC; the latest change of one of them; null if not measured
--           paths       VARCHAR[]  the first ten of them, sorted
--           command     VARCHAR[]  command of the store's own tools that removes them, as the
--                                  source gives it; empty if it gives none
--           unseen_references  VARCHAR  why it is unknown what is unreferenced; null if it is known
-- Source:   docs/measures.md, "Orphan bytes", "Unknown is not zero"
WITH found AS (
    SELECT
        source,
        command,
        count(*) AS places,
        sum(allocated_bytes) AS bytes,
        make_timestamp((min(changed) * 1000000)::BIGINT) AS oldest,
        make_timestamp((max(changed) * 1000000)::BIGINT) AS newest,
        list_sort(list(path))[1:10] AS paths
    FROM scan_disk
    WHERE kind = 'orphan' AND ($before::DOUBLE IS NULL OR changed < $before::DOUBLE)
    GROUP BY source, command
),

-- Buckets, and catalogs of earlier programs.
bare AS (
    SELECT source, orphan_bytes
    FROM scan_sources
    WHERE
        source NOT IN (SELECT source FROM scan_disk)
        AND orphan_bytes > 0
        AND $before::DOUBLE IS NULL
)

SELECT
    scan_sources.source,
    scan_sources.kind,
    CASE WHEN scan_sources.unseen_references IS NULL THEN found.places END AS places,
    CASE
        WHEN scan_sources.unseen_references IS NULL
            THEN coalesce(found.bytes, bare.orphan_bytes)::BIGINT
    END AS bytes,
    found.oldest,
    found.newest,
    coalesce(found.paths, []) AS paths,
    coalesce(found.command, []) AS command,
    scan_sources.unseen_references
FROM scan_sources
LEFT JOIN found USING (source)
LEFT JOIN bare USING (source)
WHERE
    found.source IS NOT NULL
    OR bare.source IS NOT NULL
    OR scan_sources.unseen_references IS NOT NULL
ORDER BY bytes DESC NULLS LAST, source, command;
