-- Question: Which stores of the scan hold containers?
-- Grain:    one row per source that has any
-- Params:   none
-- Columns:  source  VARCHAR  location
-- Source:   docs/catalog.md
SELECT DISTINCT source
FROM scan_containers
ORDER BY source;
