-- Question: Which files are shadowed in every image that holds their layer?
-- Grain:    one row per file (layer, member)
-- Params:   none
-- Columns:  layer       VARCHAR  key of the layer
--           member      INTEGER  the file
--           size_bytes  BIGINT   logical size
-- Source:   docs/measures.md, "Dead bytes", "Incomplete images"
--
-- An unread layer of an image may be what shows a file, so layers of incomplete images have no dead
-- files.
WITH unsure AS (
    SELECT DISTINCT node.layer
    FROM stack
    JOIN image USING (image_id)
    JOIN node USING (chain_id)
    WHERE NOT image.complete AND node.layer IS NOT NULL
),

-- How often a layer occurs in images. A file is dead if it is shadowed as often.
placements AS (
    SELECT layer, sum(images) AS placements FROM node ANTI JOIN unsure USING (layer) GROUP BY layer
)

SELECT shadow.layer, shadow.member, any_value(shadow.size_bytes) AS size_bytes
FROM shadow
JOIN node USING (chain_id)
JOIN placements ON placements.layer = shadow.layer
GROUP BY shadow.layer, shadow.member
HAVING sum(node.images) = any_value(placements.placements);
