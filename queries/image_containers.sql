-- Question: Which containers stand on the image, with a writable branch that was read?
-- Grain:    one row per container; asked about one image
-- Params:   none
-- Columns:  container_id  VARCHAR  as its store names it
--           name          VARCHAR  null where the store gives it none
-- Source:   MEASURES.md, "container layer"
SELECT DISTINCT container_id, name
FROM scan_containers
WHERE layer IS NOT NULL
ORDER BY container_id, name;
