-- Question: Which sources did the scan read, and how many bytes has each?
-- Grain:    one row per source
-- Params:   none
-- Columns:  location      VARCHAR  path or address, as given or found
--           kind          VARCHAR  format
--           images        BIGINT   images found in it
--           stored_bytes  BIGINT   blobs or unpacked trees on disk
--           orphan_bytes  BIGINT   blobs and layers that no image references; null if references
--                                  are unseen
--           unseen_references  VARCHAR  why references could not be read; null if all were read
--           allocated_bytes  BIGINT   allocated by the file system for all of it; null for files
--           other_bytes   BIGINT   of these, what is not a blob, layer or container: logs, volumes;
--                                  null for files
-- Source:   docs/measures.md, "Source", "Stored bytes", "Orphan bytes"
WITH held AS (
    SELECT source, count(DISTINCT image_id) AS images
    FROM scan_images
    WHERE kind = 'image'
    GROUP BY source
)

SELECT
    scan_sources.source AS location,
    scan_sources.kind,
    coalesce(held.images, 0) AS images,
    scan_sources.stored_bytes,
    scan_sources.orphan_bytes,
    scan_sources.unseen_references,
    scan_sources.allocated_bytes,
    scan_sources.other_bytes
FROM scan_sources
LEFT JOIN held USING (source)
ORDER BY location;
