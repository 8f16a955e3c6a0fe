-- Question: At which places that it was to read did the last scan find nothing?
-- Grain:    one row per place
-- Params:   none
-- Columns:  place    VARCHAR  absolute path, or address
--           code     VARCHAR  of the first problem of the place, documented in docs/problems.md
--           message  VARCHAR  what was expected and found
--           scan     VARCHAR  that scan
-- Source:   docs/measures.md, "Which scans answer"
SELECT place, code, message, scan
FROM failed_place
ORDER BY place;
