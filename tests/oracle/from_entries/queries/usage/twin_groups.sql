-- Question: Which groups of images are near twins, and how much would each group share on one base?
-- Grain:    one row per group of images that pairs of near twins connect, directly or through other
--           images, if they have contents in common that their layers do not share
-- Params:   $image_ids  VARCHAR[]  first images of the pairs (twins)
--           $twin_ids   VARCHAR[]  second images of the pairs
-- Columns:  images         BIGINT     number of images of the group
--           gain_bytes     BIGINT     common - sharing: what a common base would hold beyond shared
--                                      layers
--           saved_bytes    BIGINT     gain × (images - 1): what such a base saves
--           common_bytes   BIGINT     distinct contents that all of them hold
--           sharing_bytes  BIGINT     of these, contents in chain nodes that all of them contain
--           image_names    VARCHAR[]  names of the images, sorted
--           image_id       VARCHAR    smallest image ID of the group
-- Source:   docs/measures.md, "Content hash"; docs/usage.md, "dedupe twins"
--
-- The cost grows with the number of classes of contents times the images that hold each, for images
-- in groups only.
WITH RECURSIVE pair AS (
    SELECT
        unnest($image_ids::VARCHAR[]) AS image_id,
        unnest($twin_ids::VARCHAR[]) AS twin_id
),

linked AS (
    SELECT image_id, twin_id FROM pair
    UNION
    SELECT twin_id, image_id FROM pair
),

-- The connected components of the pairs; the smallest image ID of each is its label.
reached AS (
    SELECT DISTINCT image_id, image_id AS label FROM linked
    UNION
    SELECT linked.twin_id, reached.label FROM reached JOIN linked USING (image_id)
),

member AS (
    SELECT image_id, min(label) AS label FROM reached GROUP BY image_id
),

sized AS (
    SELECT label, count(*) AS images FROM member GROUP BY label
),

numbered AS (
    SELECT images, bytes, row_number() OVER (ORDER BY images) AS class
    FROM unit_class
    WHERE granularity = 'content' AND bytes > 0
),

held AS (
    SELECT class, bytes, unnest(images) AS image_id FROM numbered
),

common AS (
    SELECT whole.label, sum(whole.bytes) AS bytes
    FROM (
        SELECT member.label, held.class, any_value(held.bytes) AS bytes, count(*) AS images
        FROM held
        JOIN member USING (image_id)
        GROUP BY member.label, held.class
    ) AS whole
    JOIN sized USING (label)
    WHERE whole.images = sized.images
    GROUP BY whole.label
),

-- Chain nodes that all images contain are the lowest layers of each.
shared AS (
    SELECT member.label, stack.chain_id, any_value(stack.layer) AS layer
    FROM stack
    JOIN member USING (image_id)
    JOIN sized USING (label)
    GROUP BY member.label, stack.chain_id
    HAVING count(*) = any_value(sized.images)
),

sharing AS (
    SELECT label, sum(size_bytes) AS bytes
    FROM (
        SELECT DISTINCT shared.label, item.content_hash, item.size_bytes
        FROM shared
        JOIN item USING (layer)
        WHERE item.kind = 'file'
    ) AS distinct_contents
    GROUP BY label
),

named AS (
    SELECT
        member.label,
        list_sort(list(image.name)) AS image_names
    FROM member
    JOIN image USING (image_id)
    GROUP BY member.label
)

SELECT
    sized.images,
    (coalesce(common.bytes, 0) - coalesce(sharing.bytes, 0))::BIGINT AS gain_bytes,
    ((coalesce(common.bytes, 0) - coalesce(sharing.bytes, 0)) * (sized.images - 1))::BIGINT
        AS saved_bytes,
    coalesce(common.bytes, 0)::BIGINT AS common_bytes,
    coalesce(sharing.bytes, 0)::BIGINT AS sharing_bytes,
    named.image_names,
    sized.label AS image_id
FROM sized
JOIN named USING (label)
LEFT JOIN common USING (label)
LEFT JOIN sharing USING (label)
WHERE coalesce(common.bytes, 0) > coalesce(sharing.bytes, 0)
ORDER BY saved_bytes DESC, image_id;
