-- Question: What stays on disk although all images that need it are deleted, what keeps it, and
--           which commands release it?
-- Grain:    one row per source and set of what keeps places
-- Params:   $images  VARCHAR[]  image IDs
-- Columns:  source    VARCHAR    location
--           kinds     VARCHAR[]  what keeps it: container, build-cache, lease, artifact or record;
--                                sorted
--           holders   VARCHAR[]  names of the first ten of them, sorted
--           count     BIGINT     number of them
--           releases  VARCHAR[]  commands of the store's own tools that let go of it, sorted; all
--                                are needed
--           released  BOOLEAN    the commands let go of all of it: there is one for everything that
--                                keeps it
--           bytes     BIGINT     freed by the commands and by deleting the images
-- Source:   docs/measures.md, "What the disk gives back"
WITH own AS (
    SELECT
        source,
        bytes,
        list_filter(images, lambda holder: is_other_holder(holder)) AS others
    FROM disk_unit
    WHERE
        list_has_any($images::VARCHAR[], images)
        AND list_has_all(
            $images::VARCHAR[],
            list_filter(images, lambda holder: NOT is_other_holder(holder))
        )
),

numbered AS (
    SELECT
        source,
        others,
        coalesce(sum(bytes), 0) AS bytes,
        row_number() OVER (ORDER BY source, others) AS number
    FROM own
    WHERE len(others) > 0
    GROUP BY source, others
),

-- The command that removes each holder, as the source gives it; of a container, else that of its
-- store.
commands AS (
    SELECT source, kind || ':' || name AS holder, max(release) AS release
    FROM scan_holds
    WHERE kind <> 'image' AND len(release) > 0
    GROUP BY source, kind, name
),

spread AS (
    SELECT
        numbered.number,
        numbered.source,
        holders.holder,
        regexp_extract(holders.holder, '^[a-z-]+') AS kind,
        regexp_replace(holders.holder, '^[a-z-]+:', '') AS name
    FROM numbered
    CROSS JOIN unnest(numbered.others) AS holders (holder)
),

released AS (
    SELECT
        spread.number,
        spread.kind,
        spread.name,
        shell_text(
            coalesce(
                commands.release,
                CASE
                    WHEN spread.kind <> 'container' THEN NULL
                    WHEN scan_sources.kind IN ('docker', 'docker-containerd')
                        THEN ['docker', 'rm', spread.name]
                    WHEN scan_sources.kind = 'containers-storage'
                        THEN ['podman', '--root', spread.source, 'rm', spread.name]
                END
            )
        ) AS release
    FROM spread
    JOIN scan_sources USING (source)
    LEFT JOIN commands ON commands.source = spread.source AND commands.holder = spread.holder
),

described AS (
    SELECT
        number,
        list_sort(list(DISTINCT kind)) AS kinds,
        list_sort(list(DISTINCT name)) AS holders,
        coalesce(list_sort(list(DISTINCT release) FILTER (WHERE release IS NOT NULL)), [])
            AS releases,
        bool_and(release IS NOT NULL) AS released
    FROM released
    GROUP BY number
)

SELECT
    numbered.source,
    described.kinds,
    list_sort(list_distinct(flatten(list(described.holders))))[1:10] AS holders,
    len(list_distinct(flatten(list(described.holders)))) AS count,
    described.releases,
    bool_and(described.released) AS released,
    sum(numbered.bytes)::BIGINT AS bytes
FROM numbered
JOIN described USING (number)
GROUP BY numbered.source, described.kinds, described.releases
ORDER BY bytes DESC, numbered.source, described.kinds, described.releases;
