-- Question: Which layers hold nearly the same files?
-- Grain:    one row per pair of layers that have at least 90 % of their bytes in common
-- Params:   none
-- Columns:  layer         VARCHAR  the smaller key
--           other_layer   VARCHAR  the larger key
--           common_bytes  BIGINT   files that both hold, with the same mode and owner
--           overlap       DOUBLE   common / bytes of files that either holds, 0.9 to 1
-- Source:   docs/measures.md, "Step order"
--
-- Two runs of one step differ in files that do not matter to users of the image. So caches and
-- lists of package managers are left out, and Python bytecode, which contains the mtime of its
-- source, is compared by path and size only.
--
-- How the cost grows: files are grouped once into classes that the same layers hold. Pairs are made
-- only within classes of up to 64 layers, so the work grows with the number of classes, never with
-- the square of the number of files.
WITH file AS (
    SELECT DISTINCT
        layer,
        path,
        size_bytes,
        concat_ws(
            ' ', mode, uid, gid, CASE WHEN NOT ends_with(path, '.pyc') THEN hex(content_hash) END
        ) AS look
    FROM item
    WHERE
        kind = 'file'
        AND size_bytes > 0
        AND taken_by IS NULL
        AND package_cache(path) IS NULL
        AND NOT is_listed(layer)
),

sized AS (
    SELECT layer, sum(size_bytes) AS bytes FROM file GROUP BY layer
),

held AS (
    SELECT path, size_bytes, list_sort(list(layer)) AS layers
    FROM file
    GROUP BY path, size_bytes, look
    HAVING count(*) BETWEEN 2 AND 64
),

class AS (
    SELECT layers, sum(size_bytes) AS bytes FROM held GROUP BY layers
),

placed AS (
    SELECT
        layers, bytes, unnest(layers) AS layer, generate_subscripts(layers, 1) AS place
    FROM class
),

common AS (
    SELECT one.layer, other.layer AS other_layer, sum(one.bytes) AS bytes
    FROM placed AS one
    JOIN placed AS other ON other.layers = one.layers AND other.place > one.place
    GROUP BY one.layer, other.layer
)

SELECT
    common.layer,
    common.other_layer,
    common.bytes::BIGINT AS common_bytes,
    common.bytes::DOUBLE / (one.bytes + other.bytes - common.bytes) AS overlap
FROM common
JOIN sized AS one USING (layer)
JOIN sized AS other ON other.layer = common.other_layer
WHERE common.bytes >= 0.9 * (one.bytes + other.bytes - common.bytes);
