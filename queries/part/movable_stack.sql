-- Question: Which layers are at which position of the images for which another order can matter?
-- Grain:    one row per (image, position); of images with the same layers, the first only
-- Params:   none
-- Columns:  as 02_stack
-- Source:   docs/measures.md, "Reordering"
WITH tops AS (
    SELECT image_id, arg_max(chain_id, position) AS top
    FROM stack
    SEMI JOIN movable_image USING (image_id)
    GROUP BY image_id
)

SELECT *
FROM stack
WHERE image_id IN (SELECT min(image_id) FROM tops GROUP BY top);
