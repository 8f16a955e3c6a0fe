-- Question: Which names has each image?
-- Grain:    one row per image; cache images are left out
-- Params:   none
-- Columns:  image_id  VARCHAR    config digest as computed
--           digest    VARCHAR    smallest manifest digest seen; null without manifests
--           names     VARCHAR[]  sorted
-- Source:   docs/measures.md, "Image"
SELECT image_id, digest, names
FROM image
WHERE NOT is_cache
ORDER BY image_id;
