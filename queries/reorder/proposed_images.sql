-- Question: Which images does a session compare that holds each also in another order?
-- Grain:    two rows per row of scan_images
-- Params:   none
-- Columns:  as the table images; the image ID of the second is 'proposed:' and that of the first.
--           Each has its ID as its name, so that none passes for a cache image of another
-- Source:   MEASURES.md, "Each proposal carries its proof"
SELECT * REPLACE ([image_id] AS names) FROM scan_images
UNION ALL
SELECT
    * REPLACE ('proposed:' || image_id AS image_id, ['proposed:' || image_id] AS names)
FROM scan_images
ORDER BY image_id, source, digest;
