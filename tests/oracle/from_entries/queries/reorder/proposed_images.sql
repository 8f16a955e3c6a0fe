-- Question: Which images does a session hold that compares each with another order of its layers?
-- Grain:    two rows per row of scan_images
-- Params:   none
-- Columns:  as the table images; the image ID of the second is 'proposed:' and that of the first.
--           Each has its ID as its name: an untagged one could count as a cache image
-- Source:   docs/measures.md, "Proof of a proposal"
SELECT * REPLACE ([image_id] AS names) FROM scan_images
UNION ALL
SELECT
    * REPLACE ('proposed:' || image_id AS image_id, ['proposed:' || image_id] AS names)
FROM scan_images
ORDER BY image_id, source, digest;
