-- Question: Which sources did the scan read, and how many bytes has each?
-- Grain:    one row per source
-- Params:   none
-- Columns:  location           VARCHAR  absolute path, or address
--           kind               VARCHAR  format
--           images             BIGINT   images found in it
--           stored_bytes       BIGINT   blobs or unpacked trees on disk
--           orphan_bytes       BIGINT   blobs and layers that no image references; null if
--                                       references are unseen
--           unseen_references  VARCHAR  why references could not be read; null if all were read
--           allocated_bytes    BIGINT   allocated by the file system for all of it; null if it was
--                                       not measured
--           other_bytes        BIGINT   of these, what is not a blob, layer or container: logs,
--                                       volumes; null for files
--           listed_layers      BIGINT   layers of images of which a quick scan left contents unread
--           unopened_layers    BIGINT   layers of images whose blobs a quick scan did not open
--           scan               VARCHAR  the scan whose rows these are
--           scanned            VARCHAR  when that scan ended, UTC
--           stale_since        VARCHAR  when a later scan could not read it, UTC; null if none
--                                       failed
-- Source:   docs/measures.md, "Source", "Stored bytes", "Orphan bytes", "Which scans answer"
WITH held AS (
    SELECT source, count(DISTINCT image_id) AS images
    FROM scan_images
    WHERE kind = 'image'
    GROUP BY source
),

quick AS (
    SELECT
        source,
        count(DISTINCT layer) FILTER (WHERE is_listed(layer)) AS listed_layers,
        count(DISTINCT chain_id) FILTER (WHERE state = 'unopened') AS unopened_layers
    FROM scan_image_layers
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
    scan_sources.other_bytes,
    coalesce(quick.listed_layers, 0) AS listed_layers,
    coalesce(quick.unopened_layers, 0) AS unopened_layers,
    view_source.scan,
    utc_text(view_source.scanned) AS scanned,
    utc_text(view_source.stale_since) AS stale_since
FROM scan_sources
JOIN view_source USING (source)
LEFT JOIN held USING (source)
LEFT JOIN quick USING (source)
ORDER BY location;
