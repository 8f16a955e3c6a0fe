-- Question: Which stores of the scan hold containers?
-- Grain:    one row per source with containers
-- Params:   none
-- Columns:  source  VARCHAR  location
-- Source:   docs/catalog.md
SELECT DISTINCT source
FROM scan_containers
ORDER BY source;
