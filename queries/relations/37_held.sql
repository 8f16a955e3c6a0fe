-- Question: Which sources answered after each scan, and of which scan are their rows?
-- Grain:    one row per (scan, source) of the chosen sources
-- Params:   none
-- Columns:  scan           VARCHAR  a scan that the catalog keeps
--           source         VARCHAR  location of a source that was known then
--           rows_of        VARCHAR  the latest scan until then that read it
--           is_first_seen  BOOLEAN  no scan had looked for it until this one
-- Source:   docs/measures.md, "Which scans answer"
SELECT
    scans.scan,
    span.source,
    span.scan AS rows_of,
    coalesce(first_seen.scan = scans.scan, FALSE) AS is_first_seen
FROM scans
JOIN span ON span.scan <= scans.scan AND (span.until IS NULL OR span.until > scans.scan)
SEMI JOIN view_scope ON view_scope.source = span.source
LEFT JOIN first_seen ON first_seen.source = span.source
ORDER BY scans.scan, span.source;
