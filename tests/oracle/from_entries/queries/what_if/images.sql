-- Question: Which images would be deleted, with which names, and how much does each free alone?
-- Grain:    one row per image
-- Params:   $images  VARCHAR[]  image IDs
-- Columns:  image_id         VARCHAR    config digest as computed
--           name             VARCHAR    name of the image
--           names            VARCHAR[]  all its names; all of them are deleted with it
--           created          VARCHAR    as the config gives it; null if it gives none
--           complete         BOOLEAN    every layer could be read
--           disk_bytes       BIGINT     what the disk gives back if only this image is deleted;
--                                       does not add up to what deleting all of them frees
--           exclusive_bytes  BIGINT     unpacked, freed by deleting only this image; does not add
--                                       up to what deleting all of them frees; null if a layer that
--                                       only this image has could not be read
--           containers       BIGINT     number of containers made from it
-- Source:   docs/measures.md, "Exclusive bytes", "What the disk gives back",
--           "Incomplete images"
WITH alone AS (
    SELECT images[1] AS image_id, sum(bytes) AS bytes
    FROM disk_unit
    WHERE len(images) = 1
    GROUP BY images
),

made AS (
    SELECT image_id, count(*) AS containers FROM scan_containers GROUP BY image_id
)

SELECT
    image.image_id,
    image.name,
    image.names,
    image.created,
    image.complete,
    coalesce(alone.bytes, 0)::BIGINT AS disk_bytes,
    if(
        coalesce(share.unknown_units, 0) = 0, coalesce(share.exclusive_bytes, 0), NULL
    ) AS exclusive_bytes,
    coalesce(made.containers, 0) AS containers
FROM image
LEFT JOIN share ON share.image_id = image.image_id AND share.granularity = 'unpacked'
LEFT JOIN alone ON alone.image_id = image.image_id
LEFT JOIN made ON made.image_id = image.image_id
WHERE list_contains($images::VARCHAR[], image.image_id)
ORDER BY disk_bytes DESC, coalesce(share.exclusive_bytes, 0) DESC, name, image.image_id;
