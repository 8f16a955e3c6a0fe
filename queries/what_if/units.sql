-- Question: Which sets of images alone reference some units, and how many bytes are these?
-- Grain:    one row per set of images
-- Params:   $granularity  VARCHAR    disk, compressed, unpacked or content
--           $images       VARCHAR[]  image IDs that may be deleted; sets with other images, and
--                                    what something else keeps, are left out
-- Columns:  images  VARCHAR[]  sorted
--           bytes   HUGEINT    freed when the last image of the set is deleted
-- Source:   docs/measures.md, "Exclusive bytes", "What the disk gives back"
WITH numbered AS (
    SELECT *, row_number() OVER () AS class
    FROM unit_class
    WHERE granularity = $granularity AND bytes > 0
),

-- How many of the images that may be deleted have this number or a lower one.
deletable AS (
    SELECT
        number,
        sum(is_chosen::INTEGER) OVER (ORDER BY number) AS images
    FROM (
        SELECT number, holder IN (SELECT unnest($images::VARCHAR[])) AS is_chosen FROM holder
    ) AS chosen
),

spans AS (
    SELECT class, unnest(spans) AS span FROM numbered
),

-- Only of classes that may be freed, which have no other images, are these listed.
freeable AS (
    SELECT spans.class
    FROM spans
    JOIN deletable AS upper ON upper.number = span['last']
    LEFT JOIN deletable AS below ON below.number = span['first'] - 1
    GROUP BY spans.class
    HAVING
        sum(upper.images - coalesce(below.images, 0))
        = sum(span['last'] - span['first'] + 1)
),

members AS (
    SELECT class, unnest(range(span['first'], span['last'] + 1)) AS number
    FROM spans
    SEMI JOIN freeable USING (class)
),

class_images AS (
    SELECT members.class, list_sort(list(holder.holder)) AS images
    FROM members
    JOIN holder USING (number)
    GROUP BY members.class
),

classes AS (
    SELECT class_images.images, numbered.bytes
    FROM class_images
    JOIN numbered USING (class)
    UNION ALL
    SELECT images, sum(bytes)
    FROM disk_unit
    WHERE $granularity = 'disk' AND list_has_all($images::VARCHAR[], images)
    GROUP BY images
)

SELECT images, bytes
FROM classes
WHERE bytes > 0
ORDER BY images;
