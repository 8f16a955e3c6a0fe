-- Question: Whose rows answer for each source at the time of a scan, and which of them are stale?
-- Grain:    one row per source
-- Params:   $scan  VARCHAR  a scan's ID; later scans are left out
-- Columns:  source       VARCHAR  location
--           scan         VARCHAR  the latest scan that could read it
--           scanned      DOUBLE   when that scan ended, seconds since 1970
--           stale_scan   VARCHAR  the first later scan that was to read it and could not; null if
--                                 there is none
--           stale_since  DOUBLE   when that scan ended, seconds since 1970; null as stale_scan
-- Source:   docs/measures.md, "Which scans answer"
WITH answering AS (
    SELECT span.source, span.scan, scans.finished AS scanned
    FROM span
    JOIN scans USING (scan)
    WHERE span.scan <= $scan AND (span.until IS NULL OR span.until > $scan)
),

named AS (
    SELECT scan, finished, unnest(places) AS place FROM scans WHERE scan <= $scan
),

failed AS (
    SELECT
        answering.source,
        min(named.scan) AS stale_scan,
        min(named.finished) AS stale_since
    FROM answering
    JOIN named
        ON named.scan > answering.scan AND is_at_or_below(answering.source, named.place)
    GROUP BY answering.source
)

SELECT
    answering.source,
    answering.scan,
    answering.scanned,
    failed.stale_scan,
    failed.stale_since
FROM answering
LEFT JOIN failed USING (source)
ORDER BY answering.source;
