-- Question: Which sets of images alone reference some units, and how many bytes are these?
-- Grain:    one row per set of images
-- Params:   $granularity  VARCHAR    compressed, unpacked or content
--           $images       VARCHAR[]  image IDs that may be deleted; sets with other images are left
--                                    out
-- Columns:  images  VARCHAR[]  sorted
--           bytes   HUGEINT    freed when the last image of the set is deleted
-- Source:   docs/measures.md, "Exclusive bytes"
SELECT images, bytes
FROM unit_class
WHERE granularity = $granularity AND bytes > 0 AND list_has_all($images::VARCHAR[], images)
ORDER BY images;
