-- Question: Which earlier scan read some source that the last scan of the view read too?
-- Grain:    one row, the latest such scan; no row without one
-- Params:   none
-- Columns:  scan  VARCHAR  its ID
-- Source:   docs/check.md, "Rules"
SELECT earlier.scan
FROM sources AS earlier
JOIN sources AS later ON later.source = earlier.source AND earlier.scan < later.scan
JOIN scan_scans ON later.scan = scan_scans.scan
GROUP BY earlier.scan
ORDER BY earlier.scan DESC
LIMIT 1;
