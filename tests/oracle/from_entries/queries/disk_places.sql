-- Question: Which files and folders take the disk space, one by one?
-- Grain:    one row per place: a file, or a folder without the places in it
-- Params:   $kinds  VARCHAR[]  only these kinds; empty for all
--           $below  VARCHAR    only what is at this absolute path or below it; empty for all
-- Columns:  source           VARCHAR    location, or the folder that was scanned for what is in no
--                                       source
--           kind             VARCHAR    as in docs/disk.md
--           owner            VARCHAR    image, container, volume or other user; null if there is
--                                       none
--           allocated_bytes  BIGINT     allocated by the file system, as du counts
--           file_bytes       BIGINT     sizes of regular files added up
--           files            BIGINT     number of regular files
--           changed          VARCHAR    latest change, UTC; null if unknown
--           age_days         BIGINT     whole days from then to the end of the scan; null if
--                                       unknown
--           holders          VARCHAR[]  kind and name of everything that keeps it, sorted
--           subject          VARCHAR    chain ID, digest or ID; null if it has none
--           form             VARCHAR    how it keeps a layer: blob, tree or full-tree; null for
--                                       others
--           scope            VARCHAR    namespace and snapshotter; null for other stores
--           command          VARCHAR[]  command of the store's own tools that removes it; empty if
--                                       there is none
--           path             VARCHAR    below the source; empty for the source itself
-- Source:   docs/measures.md, "Every byte on disk has a row"
SELECT
    source,
    kind,
    owner,
    allocated_bytes,
    file_bytes,
    files,
    utc_text(changed) AS changed,
    age_days,
    holders,
    subject,
    form,
    scope,
    command,
    path
FROM disk_place
WHERE
    (len($kinds::VARCHAR[]) = 0 OR list_contains($kinds::VARCHAR[], kind))
    AND ($below::VARCHAR = '' OR is_at_or_below(place, $below::VARCHAR))
ORDER BY allocated_bytes DESC, source, path;
