-- Question: Which layers has each image, and how many bytes does each cost?
-- Grain:    one row per (image, position); cache images are left out
-- Params:   none
-- Columns:  image_id       VARCHAR    config digest as computed
--           name           VARCHAR    name of the image
--           names          VARCHAR[]  all names, sorted
--           complete       BOOLEAN    the rows of every layer of the image are known
--           base           VARCHAR    smallest name of the image that it is built on; null if
--                                     there is none
--           base_layers    INTEGER    number of layers of the base; 0 without a base
--           position       INTEGER    layer index, 0 = base
--           layer          VARCHAR    key of the layer's rows; else its diff ID as claimed
--           diff_id        VARCHAR    as the config claims it
--           created_by     VARCHAR    build step; null if the config gives none
--           content_bytes  BIGINT     content of the layer; 0 if unknown
--           pull_bytes     BIGINT     size of its smallest blob; its content if no source keeps one
--           step_class     VARCHAR    class of the layer (relation layer_class)
--           class_reason   VARCHAR    encoding, timestamps, overlap; null if the layer is alone
--                                      in its class
-- Source:   docs/measures.md, "Reordering"
WITH blobs AS (
    SELECT image_id, position, min(compressed_bytes) AS compressed_bytes
    FROM scan_image_layers
    GROUP BY image_id, position
)

SELECT
    stack.image_id,
    image.name,
    image.names,
    image.complete,
    base.base_name AS base,
    coalesce(base.base_position + 1, 0)::INTEGER AS base_layers,
    stack.position,
    coalesce(stack.layer, stack.diff_id) AS layer,
    stack.diff_id,
    stack.created_by,
    coalesce(layers.content_bytes, 0) AS content_bytes,
    coalesce(blobs.compressed_bytes, layers.content_bytes, 0) AS pull_bytes,
    coalesce(layer_class.class, stack.layer, stack.diff_id) AS step_class,
    layer_class.reason AS class_reason
FROM stack
JOIN image USING (image_id)
JOIN base USING (image_id)
LEFT JOIN layers USING (layer)
LEFT JOIN layer_class USING (layer)
LEFT JOIN blobs USING (image_id, position)
ORDER BY stack.image_id, stack.position;
