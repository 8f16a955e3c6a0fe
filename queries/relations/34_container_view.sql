-- Question: What does each image with a container show, without the container's own branch?
-- Grain:    one row per (image with a container, visible path)
-- Params:   none
-- Columns:  as 29_visible
-- Source:   docs/measures.md, "Merged view", "Bytes of a container"
--
-- Few images of a store have containers. So visible is that of these images alone here, as the
-- query part/container_stack says.
SELECT * FROM visible;
