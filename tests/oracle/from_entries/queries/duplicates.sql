-- Question: Which contents are stored more than once in the distinct layers?
-- Grain:    one row per content hash with at least two copies
-- Params:   none
-- Columns:  content_hash     VARCHAR    BLAKE3, hexadecimal
--           size_bytes       BIGINT     logical size of one copy
--           copies           BIGINT     files (layer, member) with this content
--           layers           BIGINT     distinct layers that hold it
--           images           BIGINT     images that hold one of these layers
--           duplicate_bytes  BIGINT     size × (copies - 1)
--           paths            VARCHAR[]  up to ten distinct paths, the first in order
-- Source:   docs/measures.md, "Duplicate content"
WITH numbered AS (
    -- A content can be in every layer. A list of numbers takes a tenth of the memory of a list of
    -- keys.
    SELECT layer, row_number() OVER (ORDER BY layer)::INTEGER AS number
    FROM (SELECT DISTINCT layer FROM stack) AS named
),

files AS (
    SELECT item.content_hash, item.size_bytes, item.path, numbered.number
    FROM item
    JOIN numbered USING (layer)
    WHERE item.kind = 'file' AND item.size_bytes > 0 AND NOT is_listed(item.layer)
),

copies AS (
    SELECT
        content_hash,
        any_value(size_bytes) AS size_bytes,
        count(*) AS copies,
        list_sort(list(DISTINCT number)) AS layers,
        min(DISTINCT path, 10) AS paths
    FROM files
    GROUP BY content_hash
    HAVING count(*) > 1
),

classes AS (
    SELECT classes.layers, count(DISTINCT stack.image_id) AS images
    FROM (
        SELECT layers, unnest(layers) AS number
        FROM (SELECT DISTINCT layers FROM copies) AS distinct_layers
    ) AS classes
    JOIN numbered USING (number)
    JOIN stack USING (layer)
    GROUP BY classes.layers
)

SELECT
    lower(hex(copies.content_hash)) AS content_hash,
    copies.size_bytes,
    copies.copies,
    len(copies.layers) AS layers,
    classes.images,
    copies.size_bytes * (copies.copies - 1) AS duplicate_bytes,
    copies.paths
FROM copies
JOIN classes USING (layers)
ORDER BY duplicate_bytes DESC, content_hash;
