-- Question: Which figures of the whole store do the rules of check judge?
-- Grain:    one row
-- Params:   $ignored  VARCHAR  regular expression of paths that do not count; null for none
-- Columns:  layer_bytes        BIGINT  content of distinct layers
--           duplicate_bytes    BIGINT  duplicate content, without ignored paths; at least this if
--                                      images are incomplete; null if contents are unread
--           duplicate_percent  DOUBLE  percent of layer_bytes; 0 without layers; null if images are
--                                      incomplete or contents unread
--           incomplete_images  BIGINT  images with a layer that could not be read
--           listed_layers      BIGINT  layers of which a quick scan left contents unread
-- Source:   docs/check.md, "Rules"; docs/measures.md, "Duplicate content",
--           "Rules that cannot judge"
WITH copies AS (
    SELECT any_value(size_bytes) * (count(*) - 1) AS duplicate_bytes
    FROM item
    WHERE
        kind = 'file'
        AND NOT is_listed(layer)
        AND NOT coalesce(regexp_full_match(path, $ignored), FALSE)
    GROUP BY content_hash
),

sums AS (
    SELECT
        (
            SELECT coalesce(sum(content_bytes), 0)::BIGINT
            FROM layers
            WHERE layer IN (SELECT layer FROM node)
        ) AS layer_bytes,
        (SELECT coalesce(sum(duplicate_bytes), 0)::BIGINT FROM copies) AS duplicate_bytes,
        (SELECT count(*) FROM image WHERE NOT complete AND NOT is_cache) AS incomplete_images,
        (SELECT count(DISTINCT layer) FROM node WHERE is_listed(layer)) AS listed_layers
)

SELECT
    layer_bytes,
    if(listed_layers = 0, duplicate_bytes, NULL) AS duplicate_bytes,
    if(
        incomplete_images = 0 AND listed_layers = 0,
        coalesce(100 * duplicate_bytes::DOUBLE / nullif(layer_bytes, 0), 0),
        NULL
    ) AS duplicate_percent,
    incomplete_images,
    listed_layers
FROM sums;
