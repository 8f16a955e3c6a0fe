-- Question: How many bytes does the disk give back in each source if exactly these images are
--           deleted?
-- Grain:    one row per source that holds one of the images
-- Params:   $images  VARCHAR[]  image IDs
-- Columns:  source       VARCHAR  location
--           kind         VARCHAR  format
--           measured     BOOLEAN  its files and folders were measured; if not, bytes are the sizes
--                                 of its blobs, or of the files of its unpacked layers
--           freed_bytes  BIGINT   freed by deleting the images
--           held_bytes   BIGINT   no other image needs it, but something else keeps it: see
--                                 what_if/held
--           kept_bytes   BIGINT   other images need it too
--           unknown_units  BIGINT  of what is freed, blobs or layers of unknown size
-- Source:   docs/measures.md, "What the disk gives back"
WITH touched AS (
    SELECT
        source,
        bytes,
        measured,
        list_has_all($images::VARCHAR[], images) AS freed,
        list_has_all(
            $images::VARCHAR[],
            list_filter(images, lambda holder: NOT is_other_holder(holder))
        ) AS own
    FROM disk_unit
    WHERE list_has_any($images::VARCHAR[], images)
)

SELECT
    touched.source,
    scan_sources.kind,
    bool_and(touched.measured) AS measured,
    coalesce(sum(bytes) FILTER (WHERE freed), 0)::BIGINT AS freed_bytes,
    coalesce(sum(bytes) FILTER (WHERE own AND NOT freed), 0)::BIGINT AS held_bytes,
    coalesce(sum(bytes) FILTER (WHERE NOT own), 0)::BIGINT AS kept_bytes,
    count(*) FILTER (WHERE freed AND bytes IS NULL) AS unknown_units
FROM touched
JOIN scan_sources USING (source)
GROUP BY touched.source, scan_sources.kind
ORDER BY freed_bytes DESC, touched.source;
