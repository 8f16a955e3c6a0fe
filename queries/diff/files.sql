-- Question: Which paths differ between the merged views of two images?
-- Grain:    one row per path that differs; the session holds only the two images
-- Params:   $old  VARCHAR  image ID
--           $new  VARCHAR  image ID
-- Columns:  change        VARCHAR    added, removed, changed (kind, content, link or device), or
--                                    metadata_only
--           kind          VARCHAR    in the new image; in the old one if the path was removed
--           old_bytes     BIGINT     logical size; null for an added path
--           new_bytes     BIGINT     logical size; null for a removed path
--           fields        VARCHAR[]  fields that differ: kind, content, link, device, mode, uid,
--                                    gid, mtime, xattrs; empty for added and removed
--           old_position  INTEGER    index of the layer that provides it in the old image; null for
--                                    an added path
--           new_position  INTEGER    index of the layer that provides it in the new image; null for
--                                    a removed path
--           path          VARCHAR    from the root, in printable form
-- Source:   docs/measures.md, "Merged view"
WITH old_view AS (
    SELECT * FROM visible WHERE image_id = $old
),

new_view AS (
    SELECT * FROM visible WHERE image_id = $new
),

pairs AS (
    SELECT
        coalesce(old.path, new.path) AS path,
        coalesce(new.kind, old.kind) AS kind,
        old.size_bytes AS old_bytes,
        new.size_bytes AS new_bytes,
        old.position AS old_position,
        new.position AS new_position,
        old.path IS NULL AS is_added,
        new.path IS NULL AS is_removed,
        CASE
            WHEN old.path IS NULL OR new.path IS NULL THEN [] ELSE fields_between(old, new)
        END AS fields
    FROM old_view AS old
    FULL JOIN new_view AS new ON new.path = old.path
),

compared AS (
    SELECT
        *,
        CASE
            WHEN is_added THEN 'added' WHEN is_removed THEN 'removed' ELSE change_of(fields)
        END AS change
    FROM pairs
)

SELECT
    change,
    kind,
    old_bytes,
    new_bytes,
    fields,
    old_position,
    new_position,
    path
FROM compared
WHERE change <> 'unchanged'
ORDER BY
    greatest(coalesce(old_bytes, 0), coalesce(new_bytes, 0)) * (change <> 'metadata_only')::BIGINT
    DESC,
    path;
