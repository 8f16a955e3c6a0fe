-- Question: Which sources does the scan hold?
-- Grain:    one row per source
-- Params:   none
-- Columns:  location      VARCHAR  as it was named or found
--           kind          VARCHAR  format
--           images        BIGINT   images found in it
--           stored_bytes  BIGINT   on disk
--           orphan_bytes  BIGINT   blobs that no manifest names
--           allocated_bytes  BIGINT   what the file system gives to all of it; null for files
--           other_bytes   BIGINT   of these, logs, volumes, databases: no blob, layer or container
-- Source:   MEASURES.md, "source"
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
    scan_sources.allocated_bytes,
    scan_sources.other_bytes
FROM scan_sources
LEFT JOIN held USING (source)
ORDER BY location;
