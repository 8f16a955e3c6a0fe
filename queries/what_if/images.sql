-- Question: Which images would go, by which names, and what do they free one by one?
-- Grain:    one row per image
-- Params:   $images  VARCHAR[]  image IDs
-- Columns:  image_id         VARCHAR    config digest as computed
--           name             VARCHAR    for people
--           names            VARCHAR[]  all its names: they go with it
--           created          VARCHAR    as the config says
--           complete         BOOLEAN    rows of every layer are known
--           exclusive_bytes  BIGINT     unpacked, of this image alone; does not add up to what
--                                       all of them free
--           containers       BIGINT     containers made from it
-- Source:   MEASURES.md, "exclusive(S)"
WITH made AS (
    SELECT image_id, count(*) AS containers FROM scan_containers GROUP BY image_id
)

SELECT
    image.image_id,
    coalesce(image.names[1], image.digest, image.image_id) AS name,
    image.names,
    image.created,
    image.complete,
    coalesce(share.exclusive_bytes, 0) AS exclusive_bytes,
    coalesce(made.containers, 0) AS containers
FROM image
LEFT JOIN share ON share.image_id = image.image_id AND share.granularity = 'unpacked'
LEFT JOIN made ON made.image_id = image.image_id
WHERE NOT image.is_cache AND list_contains($images::VARCHAR[], image.image_id)
ORDER BY exclusive_bytes DESC, name, image.image_id;
