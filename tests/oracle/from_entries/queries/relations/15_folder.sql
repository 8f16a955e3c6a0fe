-- Question: Which folders hold the same files, in any layer and at any path?
-- Grain:    one row per (layer, folder) that has another copy
-- Params:   none
-- Columns:  layer       VARCHAR  key of the layer
--           folder      VARCHAR  path from the root
--           parent      VARCHAR  folder above it; null for the root
--           class       VARCHAR  equal for folders with the same names and contents below them
--           copies      BIGINT   folders of that class
--           files       BIGINT   files below it, any depth
--           size_bytes  BIGINT   their bytes
-- Source:   docs/findings.md
--
-- The cost grows with files times depth: each file counts once per layer for every folder above it.
WITH files AS (
    SELECT layer, path, content_hash, size_bytes
    FROM item
    -- a quick scan reads no contents, so nothing is known of the folders of layers that it listed
    WHERE kind = 'file' AND taken_by IS NULL AND NOT is_listed(layer)
),

placed AS (
    SELECT layer, path, content_hash, size_bytes, unnest(ancestors_of(path)) AS folder FROM files
),

-- Sums of hashes do not depend on the order of files. Two different hashes per file, the number of
-- files and their size make an accidental match of all four unlikely.
described AS (
    SELECT
        layer,
        folder,
        count(*) AS files,
        sum(size_bytes)::BIGINT AS size_bytes,
        sum(hash(path[len(folder) + 1:], content_hash)) AS first_sum,
        sum(hash(content_hash, path[len(folder) + 1:], 'again')) AS second_sum
    FROM (
        SELECT * REPLACE (CASE WHEN folder = '' THEN '/' || path ELSE path END AS path) FROM placed
    ) AS rooted
    GROUP BY layer, folder
),

classed AS (
    SELECT
        *,
        md5(concat_ws(' ', files, size_bytes, first_sum, second_sum)) AS class,
        count(*) OVER (PARTITION BY files, size_bytes, first_sum, second_sum) AS copies
    FROM described
    WHERE size_bytes > 0
)

SELECT layer, folder, parent_of(folder) AS parent, class, copies, files, size_bytes
FROM classed
WHERE copies > 1;
