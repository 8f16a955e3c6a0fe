-- Question: Which sets of images reference units that only they reference, and what do these weigh?
-- Grain:    one row per set of images
-- Params:   $granularity  VARCHAR    compressed, unpacked or content
--           $images       VARCHAR[]  image IDs that may be deleted; sets with others are left out
-- Columns:  images  VARCHAR[]  sorted
--           bytes   HUGEINT    freed when the last of them goes
-- Source:   MEASURES.md, "exclusive(S)"
SELECT images, bytes
FROM unit_class
WHERE granularity = $granularity AND bytes > 0 AND list_has_all($images::VARCHAR[], images)
ORDER BY images;
