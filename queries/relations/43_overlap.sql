-- Question: Which layers hold nearly the same files?
-- Grain:    one row per pair of layers that share at least nine tenths of what either holds
-- Params:   none
-- Columns:  layer         VARCHAR  the smaller key
--           other_layer   VARCHAR  the larger key
--           common_bytes  BIGINT   files that both hold, with the same mode and owner
--           overlap       DOUBLE   common / bytes of files that either holds, 0.9 to 1
-- Source:   MEASURES.md, "content overlap above a stated threshold"
--
-- Two runs of one step differ in what no reader of the image asks for: caches and lists of package
-- managers are left out, and Python's bytecode, which has its source's mtime inside, is compared by
-- path and size. Files are compared once, into classes that the same layers hold; pairs come from
-- classes of up to 64 layers, so the work grows with classes, never with the square of files.
WITH file AS (
    SELECT DISTINCT
        layer,
        path,
        size_bytes,
        concat_ws(
            ' ', mode, uid, gid, CASE WHEN NOT ends_with(path, '.pyc') THEN hex(content_hash) END
        ) AS look
    FROM item
    WHERE kind = 'file' AND size_bytes > 0 AND taken_by IS NULL AND package_cache(path) IS NULL
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
