-- Question: What are the contents of each class, and where are they?
-- Grain:    one row per class with a layer of the view
-- Params:   none
-- Columns:  class     BIGINT   as in the relation class_layer
--           contents  BIGINT   number of contents
--           bytes     HUGEINT  sizes of these contents, each once
--           copies    BIGINT   files (layer, member) with one content
--           layers    BIGINT   distinct layers that hold them
--           images    BIGINT   images that hold one of these layers
--           is_whole  BOOLEAN  no other layer has them, and none of these is of Windows: the paths
--                              that are kept are those of the view
-- Source:   docs/measures.md, "Content hash", "Duplicate content"
WITH sums AS (
    SELECT class, sum(contents)::BIGINT AS contents, sum(bytes) AS bytes
    FROM kept_class_change
    GROUP BY class
),

places AS (
    SELECT
        class,
        sum(copies) FILTER (WHERE is_held)::BIGINT AS copies,
        count(*) FILTER (WHERE is_held) AS layers,
        bool_and(
            is_held AND number NOT IN (SELECT number FROM numbered_layer WHERE is_windows)
        ) AS is_whole
    FROM class_layer
    GROUP BY class
    HAVING bool_or(is_held)
),

holders AS (
    SELECT class, sum(last - first + 1)::BIGINT AS images FROM class_span GROUP BY class
)

SELECT
    places.class,
    sums.contents,
    sums.bytes,
    places.copies,
    places.layers,
    coalesce(holders.images, 0) AS images,
    places.is_whole
FROM places
JOIN sums USING (class)
LEFT JOIN holders USING (class);
