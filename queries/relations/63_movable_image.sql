-- Question: Of which images can another order of layers or of build steps matter?
-- Grain:    one row per image
-- Params:   none
-- Columns:  image_id  VARCHAR  config digest as computed
-- Source:   docs/measures.md, "Reordering"; docs/reorder.md
--
-- Images share a layer if they have it in one place. A layer that is in one place only is stored
-- once in any case, and so is a class of steps. So an image can change nothing if all its layers
-- and classes that have bytes are in one place. Images with layers that no order is proven for are
-- here too, since what holds these layers is reported, and those whose steps repeat one of a base.
WITH RECURSIVE placed AS (
    SELECT
        node.chain_id,
        node.parent,
        node.layer,
        coalesce(layer_class.class, node.layer, node.chain_id) AS class,
        layer_class.reason,
        coalesce(layers.content_bytes, 0) AS content_bytes
    FROM node
    LEFT JOIN layer_class USING (layer)
    LEFT JOIN layers USING (layer)
),

-- A place of a class: the classes of all layers below it.
classed AS (
    SELECT chain_id, class, content_bytes, digest_of(class) AS place
    FROM placed
    WHERE parent IS NULL
    UNION ALL
    SELECT
        placed.chain_id,
        placed.class,
        placed.content_bytes,
        digest_of(concat_ws(' ', classed.place, placed.class))
    FROM classed
    JOIN placed ON placed.parent = classed.chain_id
),

moving_classes AS (
    SELECT class
    FROM classed
    GROUP BY class
    HAVING min(place) < max(place) AND max(content_bytes) > 0
),

moving_layers AS (
    SELECT layer FROM placed WHERE content_bytes > 0 GROUP BY layer HAVING count(*) > 1
),

bases AS (
    SELECT DISTINCT unnest(base_images) AS image_id FROM base WHERE base_images IS NOT NULL
),

base_classes AS (
    SELECT DISTINCT placed.class
    FROM stack
    JOIN placed USING (chain_id)
    WHERE
        stack.image_id IN (SELECT image_id FROM bases)
        AND placed.reason IS NOT NULL
        AND placed.content_bytes > 0
),

chains AS (
    SELECT chain_id FROM placed WHERE layer IN (SELECT layer FROM moving_layers)
    UNION
    SELECT chain_id FROM placed WHERE class IN (SELECT class FROM moving_classes)
    UNION
    SELECT chain_id FROM placed WHERE class IN (SELECT class FROM base_classes)
    UNION
    SELECT chain_id FROM unproven
)

SELECT DISTINCT image_id
FROM stack
WHERE chain_id IN (SELECT chain_id FROM chains);
