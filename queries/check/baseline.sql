-- Question: Which earlier scan read some source that this scan read too?
-- Grain:    one row, the latest such scan; no row without one
-- Params:   none
-- Columns:  scan  VARCHAR  its ID
-- Source:   docs/check.md, "Rules"
SELECT sources.scan
FROM sources
JOIN scan_sources ON scan_sources.source = sources.source
JOIN scan_scans ON sources.scan < scan_scans.scan
GROUP BY sources.scan
ORDER BY sources.scan DESC
LIMIT 1;
