-- Question: Which paths differ between the merged views of two images?
-- Grain:    one row per path that differs; the session holds only the two images
-- Params:   $old  VARCHAR  image ID
--           $new  VARCHAR  image ID
-- Columns:  change        VARCHAR    added, removed, changed (kind, content, link or device), or
--                                    metadata_only; null if a quick scan did not compare contents
--           kind          VARCHAR    in the new image; in the old one if the path was removed
--           old_bytes     BIGINT     logical size; null for an added path
--           new_bytes     BIGINT     logical size; null for a removed path
--           fields        VARCHAR[]  fields that differ: kind, content, link, device, mode, uid,
--                                    gid, mtime, xattrs; empty for added and removed; null if the
--                                    change is
--           old_position  INTEGER    index of the layer that provides it in the old image; null for
--                                    an added path
--           new_position  INTEGER    index of the layer that provides it in the new image; null for
--                                    a removed path
--           path          VARCHAR    from the root, in printable form
-- Source:   docs/measures.md, "Merged view"
SELECT
    change,
    kind,
    old_bytes,
    new_bytes,
    fields,
    old_position,
    new_position,
    path
FROM view_changes('visible', $old, $new)
WHERE change IS DISTINCT FROM 'unchanged'
ORDER BY
    greatest(coalesce(old_bytes, 0), coalesce(new_bytes, 0))
    * (change IS DISTINCT FROM 'metadata_only')::BIGINT DESC,
    path;
