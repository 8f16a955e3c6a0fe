-- Question: What of the whole store do the rules of a gate look at?
-- Grain:    one row
-- Params:   $ignored  VARCHAR  regular expression of paths that don't count; null: none
-- Columns:  layer_bytes        BIGINT  content of distinct layers
--           duplicate_bytes    BIGINT  duplicate content, ignored paths left out
--           duplicate_percent  DOUBLE  of layer_bytes; 0 where there are none
--           incomplete_images  BIGINT  images of which some layer could not be read
-- Source:   docs/check.md; MEASURES.md, "duplicate_content_bytes"
WITH copies AS (
    SELECT any_value(size_bytes) * (count(*) - 1) AS duplicate_bytes
    FROM item
    WHERE kind = 'file' AND NOT coalesce(regexp_full_match(path, $ignored), FALSE)
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
        (SELECT count(*) FROM image WHERE NOT complete) AS incomplete_images
)

SELECT
    layer_bytes,
    duplicate_bytes,
    coalesce(100 * duplicate_bytes::DOUBLE / nullif(layer_bytes, 0), 0) AS duplicate_percent,
    incomplete_images
FROM sums;
