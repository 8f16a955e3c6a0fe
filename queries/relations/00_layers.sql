-- Question: What is known of each layer that was read?
-- Grain:    one row per layer with rows, over all scans of the catalog
-- Params:   none
-- Columns:  layer             VARCHAR  key of the layer's rows
--           diff_id           VARCHAR  SHA-256 of its tar, as computed
--           verified          VARCHAR  how far the diff ID is proven
--           digest            VARCHAR  SHA-256 of the blob that was read
--           compression       VARCHAR  of that blob
--           compressed_bytes  BIGINT   of that blob
--           tar_bytes         BIGINT   of the tar
--           content_bytes     BIGINT   logical sizes of its regular files
--           entries           BIGINT   number of its entries
--           files             BIGINT   number of its regular files
--           reader            INTEGER  version of the reader that made its rows, 1 = the first
--           entries_in        VARCHAR[]  files that have its entries
--           rows_id           UUID     equal for equal rows of one layer key, in any scan
-- Source:   docs/catalog.md; docs/measures.md, "Layer and diff ID"
--
-- Files of older programs have one layer each. To open thousands of files for every question would
-- take longer than to answer it, so they are read once, into this relation.
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
    files,
    coalesce(reader, 1) AS reader,
    entries_in,
    digest_of(
        concat_ws(
            ' ', layer, diff_id, rows_digest, content_bytes, entries, files, coalesce(reader, 1)
        )
    )::UUID AS rows_id
FROM main.layers
ORDER BY layer;
