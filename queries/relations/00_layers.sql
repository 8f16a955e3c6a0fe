-- Question: What has reading each layer shown?
-- Grain:    one row per layer with rows, of all scans
-- Params:   none
-- Columns:  layer             VARCHAR  key of the layer's rows
--           diff_id           VARCHAR  SHA-256 of its tar, as computed
--           verified          VARCHAR  how far that is proven
--           digest            VARCHAR  SHA-256 of the blob that was read
--           compression       VARCHAR  of that blob
--           compressed_bytes  BIGINT   of that blob
--           tar_bytes         BIGINT   of the tar
--           content_bytes     BIGINT   logical sizes of its regular files
--           entries           BIGINT   its rows
--           files             BIGINT   its regular files
-- Source:   docs/catalog.md; the table of the same name has a file a layer, and opening thousands
--           for every question takes longer than the answers
SELECT
    layer,
    diff_id,
    verified,
    digest,
    compression,
    compressed_bytes,
    tar_bytes,
    content_bytes,
    entries,
    files
FROM main.layers
ORDER BY layer;
