-- Question: Which places was the last scan to read, and found nothing there?
-- Grain:    one row per place
-- Params:   none
-- Columns:  place    VARCHAR  absolute path, or address
--           code     VARCHAR  of the first problem of the place, documented in docs/problems.md
--           message  VARCHAR  what was expected and found
--           scan     VARCHAR  that scan
-- Source:   docs/measures.md, "Which scans answer"
WITH named AS (
    SELECT scan, unnest(places) AS place FROM scan_scans
)

SELECT
    named.place,
    min_by(scan_problems.code, (scan_problems.code, scan_problems.message)) AS code,
    min(scan_problems.message) AS message,
    named.scan
FROM named
JOIN scan_problems
    ON scan_problems.scan = named.scan
    AND scan_problems.source = named.place
    AND scan_problems.severity = 'error'
ANTI JOIN sources
    ON sources.scan = named.scan
    AND is_at_or_below(sources.source, named.place)
    AND coalesce(sources.readable, TRUE)
GROUP BY named.place, named.scan
ORDER BY named.place;
