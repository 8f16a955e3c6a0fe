-- Question: Which sets of images alone reference some units, and how many bytes are these?
-- Grain:    one row per set of images
-- Params:   $granularity  VARCHAR    disk, compressed, unpacked or content
--           $images       VARCHAR[]  image IDs that may be deleted; sets with other images, and
--                                    what something else keeps, are left out
-- Columns:  images  VARCHAR[]  sorted
--           bytes   HUGEINT    freed when the last image of the set is deleted
-- Source:   docs/measures.md, "Exclusive bytes", "What the disk gives back"
WITH classes AS (
    SELECT images, bytes FROM unit_class WHERE granularity = $granularity
    UNION ALL
    SELECT images, sum(bytes) FROM disk_unit WHERE $granularity = 'disk' GROUP BY images
)

SELECT images, bytes
FROM classes
WHERE bytes > 0 AND list_has_all($images::VARCHAR[], images)
ORDER BY images;
