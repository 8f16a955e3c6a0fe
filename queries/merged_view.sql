-- Question: What does a container of each image see?
-- Grain:    one row per (image, path) that some layer has an entry for and that is visible
-- Params:   none
-- Columns:  image_id      VARCHAR  config digest as computed
--           path          VARCHAR  visible path; the root is left out
--           kind          VARCHAR  kind of what is there, hard links resolved
--           size_bytes    BIGINT   logical size of a regular file
--           mode          INTEGER  permission bits
--           uid           BIGINT   owner
--           gid           BIGINT   group
--           mtime_ns      BIGINT   nanoseconds since 1970
--           link          VARCHAR  target of a symlink
--           content_hash  BLOB     BLAKE3 of a regular file
--           position      INTEGER  layer index that provides the name
-- Source:   OCI image-spec layer.md, "Applying changesets": lookup from the top down
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
