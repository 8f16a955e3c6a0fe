-- Question: Which images have a text in a name or an ID?
-- Grain:    one row per image; cache images too
-- Params:   $text      VARCHAR    a name, a part of it, or the beginning of an ID without its
--                                 algorithm
-- Columns:  image_id   VARCHAR    config digest as computed
--           digest     VARCHAR    smallest manifest digest seen; null without manifests
--           names      VARCHAR[]  all names in all sources, sorted
--           store_ids  VARCHAR[]  IDs under which podman lists it, sorted; empty for other stores
--           platform   VARCHAR    os/architecture[/variant]
--           sources    VARCHAR[]  locations, sorted
-- Source:   docs/measures.md, "Image"
--
-- The relation image has these columns too, but it takes longer to make in a store with many images
-- than to answer a question about one of them.
WITH found AS (
    SELECT image_id
    FROM scan_images
    WHERE
        kind = 'image'
        AND contains(
            concat_ws(' ', image_id, digest, store_id, array_to_string(names, ' ')), $text::VARCHAR
        )
)

SELECT
    image_id,
    min(digest) AS digest,
    list_sort(list_distinct(flatten(list(names)))) AS names,
    list_sort(coalesce(list(DISTINCT store_id) FILTER (WHERE store_id IS NOT NULL), []))
        AS store_ids,
    min(platform) AS platform,
    list_sort(list(DISTINCT source)) AS sources
FROM scan_images
SEMI JOIN found USING (image_id)
WHERE kind = 'image'
GROUP BY image_id
ORDER BY image_id;
