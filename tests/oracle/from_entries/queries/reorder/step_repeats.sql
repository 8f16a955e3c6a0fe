-- Question: Which build steps repeat a step of an image that other images are built on?
-- Grain:    one row per chain node of the same class as a layer of such an image
-- Params:   none
-- Columns:  image          VARCHAR  smallest name of the images that contain it
--           images         BIGINT   number of these images
--           position       INTEGER  layer index, 0 = base
--           created_by     VARCHAR  its build step; null if the config gives none
--           base           VARCHAR  image to build on instead
--           base_position  INTEGER  index of the layer of that image of the same class
--           built_on_base  BIGINT   images that are built on it today
--           saves_bytes    BIGINT   content of the layer, which would be stored only once
--           brings_bytes   BIGINT   content of the base's other layers that the image lacks: they
--                                   are shared in the store, but pulled with the image
--           in_the_way     BIGINT   layers between the common base and this one that must stay
--                                   below it; 0 if all of them can move above the new base
--           reason         VARCHAR  why the layers are one class: encoding, timestamps,
--                                   overlap
--           chain_id       VARCHAR  chain ID of the layer
--           image_id       VARCHAR  config digest as computed
-- Source:   docs/measures.md, "Step order"
WITH repeated AS (
    SELECT node.*, layer_class.class, layer_class.reason, layers.content_bytes
    FROM node
    JOIN layer_class USING (layer)
    JOIN layers USING (layer)
    WHERE layer_class.reason IS NOT NULL AND layers.content_bytes > 0
),

bases AS (
    SELECT unnest(base_images) AS image_id, count(*) AS built_on_base
    FROM base
    WHERE base_images IS NOT NULL
    GROUP BY unnest(base_images)
),

-- Pairs of such a layer and a base image that has a layer of the same class.
pairs AS (
    SELECT
        repeated.*,
        bases.image_id AS base_id,
        bases.built_on_base,
        other.position AS base_position
    FROM repeated
    JOIN repeated AS same ON same.class = repeated.class AND same.chain_id <> repeated.chain_id
    JOIN stack AS other ON other.chain_id = same.chain_id
    JOIN bases ON bases.image_id = other.image_id
),

split AS (
    SELECT
        pairs.*,
        (
            SELECT count(*)
            FROM stack AS own
            JOIN stack AS other
                ON other.image_id = pairs.base_id AND other.chain_id = own.chain_id
            WHERE own.image_id = pairs.image_id
        ) AS common_layers
    FROM pairs
),

-- brings_bytes and in_the_way of each possible base; the best of them is chosen below.
weighed AS (
    SELECT
        split.*,
        (
            SELECT coalesce(sum(layers.content_bytes), 0)
            FROM stack
            JOIN layers USING (layer)
            WHERE
                stack.image_id = split.base_id
                AND stack.position >= split.common_layers
                AND stack.position <> split.base_position
        ) AS brings_bytes,
        (
            SELECT count(*)
            FROM stack
            JOIN conflict
                ON conflict.lower_layer = stack.layer
                AND conflict.upper_layer = split.layer
                AND conflict.grade = 'equivalent'
            WHERE
                stack.image_id = split.image_id
                AND stack.position >= split.common_layers
                AND stack.position < split.position
        ) AS in_the_way
    FROM split
    -- An image that is already below this layer, or is built on it, cannot become its base.
    WHERE split.common_layers <= least(split.position, split.base_position)
),

ranked AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY chain_id ORDER BY in_the_way, brings_bytes, base_id
        ) AS rank
    FROM weighed
),

chosen AS (
    SELECT * FROM ranked WHERE rank = 1
)

SELECT
    image.name AS image,
    chosen.images,
    chosen.position,
    chosen.created_by,
    base_image.name AS base,
    chosen.base_position,
    chosen.built_on_base,
    chosen.content_bytes AS saves_bytes,
    chosen.brings_bytes::BIGINT AS brings_bytes,
    chosen.in_the_way,
    chosen.reason,
    chosen.chain_id,
    chosen.image_id
FROM chosen
JOIN image USING (image_id)
JOIN image AS base_image ON base_image.image_id = chosen.base_id
ORDER BY saves_bytes DESC, chain_id;
