-- Question: What do the images that take part in a new division into layers hold unpacked today?
-- Grain:    one row
-- Params:   none
-- Columns:  unpacked_bytes  BIGINT  content of their layers, each once in its place
-- Source:   MEASURES.md, "unpacked_bytes"
WITH chains AS (
    SELECT DISTINCT stack.chain_id, stack.layer
    FROM stack
    JOIN numbered_image USING (image_id)
)

SELECT coalesce(sum(layers.content_bytes), 0)::BIGINT AS unpacked_bytes
FROM chains
JOIN layers USING (layer);
