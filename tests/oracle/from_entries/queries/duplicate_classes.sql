-- Question: Which kinds of files are stored more than once?
-- Grain:    one row per class; duplicate_bytes add up to the scan's duplicate_content_bytes
-- Params:   $by  VARCHAR  cache (package manager), extension or size
-- Columns:  file_class       VARCHAR  the package manager, the extension or the range of sizes
--           duplicate_bytes  BIGINT   bytes of all copies but the first of each content
--           copies           BIGINT   number of these copies
--           contents         BIGINT   distinct contents among them
-- Source:   docs/measures.md, "Duplicate content"
WITH ranked AS (
    SELECT
        path,
        size_bytes,
        content_hash,
        row_number() OVER (PARTITION BY content_hash ORDER BY layer, member) AS copy
    FROM item
    WHERE kind = 'file' AND size_bytes > 0 AND NOT is_listed(layer)
),

classed AS (
    SELECT
        size_bytes,
        content_hash,
        CASE $by
            WHEN 'cache' THEN coalesce(package_cache(path), 'no cache')
            WHEN 'extension'
                THEN coalesce(
                        nullif(lower(regexp_extract(path, '[^/.][^/]*(\.[\w+-]{1,12})$', 1)), ''),
                        'no extension'
                    )
            WHEN 'size'
                THEN CASE
                        WHEN size_bytes <= 4096 THEN 'to 4 kB'
                        WHEN size_bytes <= 65536 THEN 'to 64 kB'
                        WHEN size_bytes <= 1048576 THEN 'to 1 MB'
                        WHEN size_bytes <= 16777216 THEN 'to 16 MB'
                        ELSE 'larger'
                    END
        END AS file_class
    FROM ranked
    WHERE copy > 1
)

SELECT
    file_class,
    sum(size_bytes)::BIGINT AS duplicate_bytes,
    count(*) AS copies,
    count(DISTINCT content_hash) AS contents
FROM classed
GROUP BY file_class
ORDER BY duplicate_bytes DESC, file_class;
