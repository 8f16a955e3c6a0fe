-- Question: Which scan is the last that the view considers?
-- Grain:    one row
-- Params:   none
-- Columns:  scan           VARCHAR  its ID
--           started        DOUBLE   seconds since 1970
--           finished       DOUBLE   seconds since 1970
--           layers_read    BIGINT   layers that it read
--           layers_reused  BIGINT   chain nodes whose rows were in the catalog already
--           version        VARCHAR  of the program that scanned
-- Source:   docs/catalog.md
SELECT scan, started, finished, layers_read, layers_reused, version
FROM scan_scans
ORDER BY scan;
