-- Question: What are the entries of a batch of layers, as far as its derived rows need them?
-- Grain:    one row per entry (layer, member)
-- Params:   none
-- Columns:  layer         INTEGER  number of the layer in the batch
--           member        INTEGER  the entry
--           path          VARCHAR  its path
--           kind          VARCHAR  its kind
--           size_bytes    BIGINT   logical size
--           mode          INTEGER  permission bits
--           uid           BIGINT   owner
--           gid           BIGINT   group
--           content_hash  BLOB     as in the table entries
--           zero_bytes    BIGINT   as in the table entries
--           flags         VARCHAR  as in the table entries
-- Source:   docs/catalog.md
--
-- Several relations read them, and to find them in the files of the catalog takes longer than that.
SELECT
    batch_layer.number AS layer,
    entries.member,
    entries.path,
    entries.kind,
    entries.size_bytes,
    entries.mode,
    entries.uid,
    entries.gid,
    entries.content_hash,
    entries.zero_bytes,
    entries.flags
FROM batch_source AS entries
JOIN batch_layer USING (layer);
