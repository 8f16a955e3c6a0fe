-- Question: Which scans does the catalog keep, of which sources, and which of them does it answer
--           for?
-- Grain:    one row per scan
-- Params:   none
-- Columns:  scan           VARCHAR    its ID
--           started        TIMESTAMP  UTC
--           seconds        DOUBLE     how long it took
--           layers_read    BIGINT     layers that it read
--           layers_reused  BIGINT     chain nodes whose rows were in the catalog already
--           sources        VARCHAR[]  locations that it read
--           answers        BIGINT     sources whose latest rows it has
--           places         VARCHAR[]  what the user named; null for scans of older programs
-- Source:   docs/catalog.md; docs/measures.md, "Which scans answer"
WITH held AS (
    SELECT scan, list_sort(list(source)) AS sources FROM sources GROUP BY scan
),

answering AS (
    SELECT scan, count(*) AS answers FROM span WHERE until IS NULL GROUP BY scan
)

SELECT
    scans.scan,
    make_timestamp((scans.started * 1000000)::BIGINT) AS started,
    round(scans.finished - scans.started, 3) AS seconds,
    scans.layers_read,
    scans.layers_reused,
    coalesce(held.sources, []) AS sources,
    coalesce(answering.answers, 0) AS answers,
    scans.places
FROM scans
LEFT JOIN held USING (scan)
LEFT JOIN answering USING (scan)
ORDER BY scans.scan;
