-- Question: How many images are incomplete, and because of which problems?
-- Grain:    one row per problem code, most images first; no row if all images are complete
-- Params:   none
-- Columns:  code         VARCHAR    code of the problem, as in docs/problems.md
--           images       BIGINT     images with a layer that has this problem; an image with two
--                                   problems is in both rows
--           of_images    BIGINT     images of the scan, complete or not
--           layers       BIGINT     chain nodes that have it
--           image_ids    VARCHAR[]  IDs of these images, sorted
--           image_names  VARCHAR[]  their names, sorted
-- Source:   docs/measures.md, "Incomplete images"
SELECT
    unread.code,
    count(DISTINCT unread.image_id) AS images,
    (SELECT count(*) FROM image AS every WHERE NOT every.is_cache) AS of_images,
    count(DISTINCT unread.chain_id) AS layers,
    list_sort(list(DISTINCT image.image_id)) AS image_ids,
    list_sort(list(DISTINCT image.name)) AS image_names
FROM unread
JOIN image USING (image_id)
GROUP BY unread.code
ORDER BY images DESC, unread.code;
