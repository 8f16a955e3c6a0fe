-- Question: Which place is a path in, and what keeps that place?
-- Grain:    one row per holder of the innermost place at or above the path; one without a holder if
--           nothing keeps it
-- Params:   $paths  VARCHAR[]  absolute paths that all mean the same file or folder
-- Columns:  source           VARCHAR    location, or the folder that was scanned
--           source_kind      VARCHAR    format of the source; null for what is in no source
--           path             VARCHAR    the place, below the source; empty for the source itself
--           kind             VARCHAR    as in docs/disk.md
--           owner            VARCHAR    image, container, volume or other user; null if there is
--                                       none
--           subject          VARCHAR    chain ID, digest or ID; null if it has none
--           form             VARCHAR    how it keeps a layer: blob, tree or full-tree; null for
--                                       others
--           scope            VARCHAR    namespace and snapshotter; null for other stores
--           allocated_bytes  BIGINT     allocated by the file system, as du counts
--           file_bytes       BIGINT     sizes of regular files added up
--           files            BIGINT     number of regular files
--           changed          VARCHAR    latest change, UTC; null if unknown
--           age_days         BIGINT     whole days from then to the end of the scan; null if
--                                       unknown
--           command          VARCHAR[]  command of the store's own tools that removes it; empty if
--                                       there is none
--           scanned          DOUBLE     when the scan that measured it ended, seconds since 1970
--           holder_kind      VARCHAR    kind of what keeps it; null without a holder
--           holder           VARCHAR    its name; null without a holder
--           holder_id        VARCHAR    an image's ID; the holder's name for others; null without a
--                                       holder
--           goes_with_child  BOOLEAN    whether it is an untagged image that the store removes
--                                       with an image made from it; null without a holder
--           release          VARCHAR[]  command of the store's own tools that removes the holder;
--                                       empty for images, and if there is none; null without a
--                                       holder
-- Source:   docs/measures.md, "Every byte on disk has a row"
WITH found AS (
    SELECT *
    FROM disk_place
    WHERE
        list_bool_or(
            list_transform($paths::VARCHAR[], lambda wanted: is_at_or_below(wanted, place))
        )
    ORDER BY len(place) DESC, source
    LIMIT 1
),

measuring AS (
    SELECT source, max(scan) AS scan FROM scan_disk GROUP BY source
),

artifacts AS (
    SELECT source, digest, min(coalesce(names[1], digest)) AS name
    FROM scan_images
    WHERE kind <> 'image'
    GROUP BY source, digest
),

parents AS (
    SELECT DISTINCT source, parent_id FROM scan_images WHERE parent_id IS NOT NULL
)

SELECT
    found.source,
    scan_sources.kind AS source_kind,
    found.path,
    found.kind,
    found.owner,
    found.subject,
    found.form,
    found.scope,
    found.allocated_bytes,
    found.file_bytes,
    found.files,
    utc_text(found.changed) AS changed,
    found.age_days,
    found.command,
    scans.finished AS scanned,
    held.kind AS holder_kind,
    coalesce(image.name, artifacts.name, held.name) AS holder,
    held.name AS holder_id,
    if(
        held.name IS NULL,
        NULL,
        held.kind = 'image' AND len(image.names) = 0 AND parents.parent_id IS NOT NULL
    ) AS goes_with_child,
    held.release
FROM found
JOIN measuring ON measuring.source = found.source
JOIN scans ON scans.scan = measuring.scan
LEFT JOIN scan_sources ON scan_sources.source = found.source
LEFT JOIN scan_holds AS held ON held.source = found.source AND held.path = found.path
LEFT JOIN image ON held.kind = 'image' AND image.image_id = held.name
LEFT JOIN artifacts
    ON held.kind = 'artifact' AND artifacts.source = held.source AND artifacts.digest = held.name
LEFT JOIN parents
    ON held.kind = 'image' AND parents.source = held.source AND parents.parent_id = held.name
ORDER BY
    held.kind = 'image',
    goes_with_child,
    held.kind,
    holder,
    holder_id;
