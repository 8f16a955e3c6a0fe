-- Question: Which contents outside the ignored paths are stored more than once?
-- Grain:    one row per content hash with at least two such copies, most bytes first
-- Params:   $ignored  VARCHAR  as in check/store; may be null
--           $most     BIGINT   maximum number of rows
-- Columns:  duplicate_bytes  BIGINT     size × (copies - 1)
--           size_bytes       BIGINT     logical size of one copy
--           copies           BIGINT     files (layer, member) with this content
--           layers           BIGINT     distinct layers that hold it
--           paths            VARCHAR[]  up to three distinct paths, the first in order
-- Source:   docs/check.md, "Rules"; docs/measures.md, "Duplicate content"
SELECT
    any_value(size_bytes) * (count(*) - 1) AS duplicate_bytes,
    any_value(size_bytes) AS size_bytes,
    count(*) AS copies,
    count(DISTINCT layer) AS layers,
    list_sort(list(DISTINCT path))[:3] AS paths
FROM item
WHERE
    kind = 'file'
    AND size_bytes > 0
    AND NOT is_listed(layer)
    AND NOT coalesce(regexp_full_match(path, $ignored), FALSE)
GROUP BY content_hash
HAVING count(*) > 1
ORDER BY duplicate_bytes DESC, content_hash
LIMIT $most;
