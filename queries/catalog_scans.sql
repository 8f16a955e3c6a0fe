-- Question: Which scans does the catalog keep, and of which sources?
-- Grain:    one row per scan
-- Params:   none
-- Columns:  scan           VARCHAR    its ID
--           started        TIMESTAMP  UTC
--           seconds        DOUBLE     how long it took
--           layers_read    BIGINT     layers that it read
--           layers_reused  BIGINT     chain nodes whose rows were in the catalog already
--           sources        VARCHAR[]  locations
-- Source:   docs/catalog.md
WITH held AS (
    SELECT scan, list_sort(list(source)) AS sources FROM sources GROUP BY scan
)

SELECT
    scans.scan,
    make_timestamp((scans.started * 1000000)::BIGINT) AS started,
    round(scans.finished - scans.started, 3) AS seconds,
    scans.layers_read,
    scans.layers_reused,
    coalesce(held.sources, []) AS sources
FROM scans
LEFT JOIN held USING (scan)
ORDER BY scans.scan;
