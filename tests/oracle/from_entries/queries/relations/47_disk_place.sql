-- Question: What is each measured file and folder, and who needs it?
-- Grain:    one row per (source, path) of the table disk
-- Params:   none
-- Columns:  source           VARCHAR    location of the source, or the folder that was scanned
--           path             VARCHAR    below the source; empty for the source itself
--           place            VARCHAR    absolute path
--           kind             VARCHAR    what it is
--           owner            VARCHAR    who uses it: the images or artifacts that need it, else as
--                                       the store names its user; null if nothing is known to
--           holders          VARCHAR[]  kind and name of everything that keeps it, sorted
--           subject          VARCHAR    chain ID, digest or ID; null if it has none
--           form             VARCHAR    how it keeps a layer: blob, tree or full-tree; null for
--                                       others
--           scope            VARCHAR    namespace and snapshotter; null for other stores
--           allocated_bytes  BIGINT     disk usage
--           file_bytes       BIGINT     sizes of its regular files added up
--           files            BIGINT     number of its regular files
--           changed          DOUBLE     latest change in it, seconds since 1970; null if unknown
--           age_days         BIGINT     whole days from then to the end of the scan; null if
--                                       unknown
--           command          VARCHAR[]  command of the store's own tools that removes it; empty if
--                                       there is none
-- Source:   docs/measures.md, "Every byte on disk has a row"
WITH others AS (
    SELECT source, digest, min(coalesce(names[1], digest)) AS name
    FROM scan_images
    WHERE kind <> 'image'
    GROUP BY source, digest
),

named AS (
    SELECT
        held.source,
        held.path,
        held.kind,
        coalesce(image.name, others.name, held.name) AS name,
        held.kind IN ('image', 'artifact') AS is_content,
        coalesce(image.is_cache, FALSE) AS is_cache
    FROM scan_holds AS held
    LEFT JOIN image ON held.kind = 'image' AND image.image_id = held.name
    LEFT JOIN others
        ON held.kind = 'artifact' AND others.source = held.source AND others.digest = held.name
),

-- Cache images are owners only of what no other image has.
owned AS (
    SELECT
        source,
        path,
        coalesce(
            list_sort(list(DISTINCT name) FILTER (WHERE is_content AND NOT is_cache)),
            list_sort(list(DISTINCT name) FILTER (WHERE is_content))
        ) AS owners,
        list_sort(list(DISTINCT kind || ' ' || name)) AS holders
    FROM named
    GROUP BY source, path
)

SELECT
    disk.source,
    disk.path,
    place_in(disk.source, disk.path) AS place,
    disk.kind,
    CASE
        WHEN len(owned.owners) > 1
            THEN owned.owners[1] || ' and ' || (len(owned.owners) - 1) || ' more'
        ELSE coalesce(owned.owners[1], disk.owner)
    END AS owner,
    coalesce(owned.holders, []) AS holders,
    disk.subject,
    disk.form,
    disk.scope,
    disk.allocated_bytes,
    disk.file_bytes,
    disk.files,
    disk.changed,
    greatest(floor((scans.finished - disk.changed) / 86400), 0)::BIGINT AS age_days,
    disk.command
FROM scan_disk AS disk
JOIN scans ON scans.scan = disk.scan
LEFT JOIN owned ON owned.source = disk.source AND owned.path = disk.path;
