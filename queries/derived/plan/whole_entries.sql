-- Question: What are the entries of a batch of layers, in the columns of the table entries?
-- Grain:    one row per entry (layer, member)
-- Params:   none
-- Columns:  as the table entries, and
--           layer  INTEGER  number of the layer in the batch
-- Source:   docs/catalog.md
--
-- Columns that no derived row of a layer needs are null.
SELECT
    layer,
    member,
    path,
    kind,
    size_bytes,
    NULL::BIGINT AS stored_bytes,
    mode,
    uid,
    gid,
    NULL::BIGINT AS mtime_ns,
    NULL::VARCHAR AS link,
    NULL::VARCHAR AS device,
    NULL::VARCHAR AS xattrs,
    content_hash,
    zero_bytes,
    NULL::BLOB AS raw_name,
    flags
FROM layer_entry;
