-- Question: Which paths does a container of each image see?
-- Grain:    one row per (image, visible path) that some layer lists
-- Params:   none
-- Columns:  image_id      VARCHAR  config digest as computed
--           path          VARCHAR  visible path; except the root
--           kind          VARCHAR  kind, hard links resolved
--           size_bytes    BIGINT   logical size of a regular file
--           mode          INTEGER  permission bits
--           uid           BIGINT   owner
--           gid           BIGINT   group
--           mtime_ns      BIGINT   nanoseconds since 1970
--           link          VARCHAR  target of a symlink; null for other kinds
--           content_hash  BLOB     BLAKE3 of a regular file; null for other kinds
--           position      INTEGER  index of the layer that provides the name
-- Source:   docs/measures.md, "Merged view"; OCI image-spec layer.md, "Applying Changesets"
SELECT
    image_id,
    path,
    kind,
    size_bytes,
    mode,
    uid,
    gid,
    mtime_ns,
    link,
    content_hash,
    position
FROM visible
WHERE position IS NOT NULL
ORDER BY image_id, path;
