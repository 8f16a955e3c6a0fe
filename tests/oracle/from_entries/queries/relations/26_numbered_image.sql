-- Question: Which images does a search for other layers consider?
-- Grain:    one row per image; cache images, incomplete ones, and those with contents that a quick
--           scan left unread are left out
-- Params:   none
-- Columns:  number    INTEGER  0, 1, 2 … in the order of image IDs
--           image_id  VARCHAR  config digest as computed
-- Source:   docs/measures.md, "Cache image", "Incomplete images"
--
-- Sets of images are kept as lists of small numbers, so that thousands of them fit in memory.
SELECT (row_number() OVER (ORDER BY image_id) - 1)::INTEGER AS number, image_id
FROM image
WHERE
    complete
    AND NOT is_cache
    AND image_id NOT IN (SELECT image_id FROM stack WHERE is_listed(layer));
