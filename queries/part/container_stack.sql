-- Question: Which layers are at which position of the images with containers?
-- Grain:    one row per (image, position)
-- Params:   none
-- Columns:  as 02_stack
-- Source:   docs/measures.md, "Bytes of a container"
SELECT *
FROM stack
WHERE image_id IN (SELECT image_id FROM scan_containers WHERE image_id IS NOT NULL);
