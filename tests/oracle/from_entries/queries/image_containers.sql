-- Question: Which containers of the image have a writable branch that was read?
-- Grain:    one row per container; the session holds only one image
-- Params:   none
-- Columns:  container_id  VARCHAR  as its store names it
--           name          VARCHAR  null if it has none
-- Source:   docs/measures.md, "Container layer"
SELECT DISTINCT container_id, name
FROM scan_containers
WHERE layer IS NOT NULL
ORDER BY container_id, name;
