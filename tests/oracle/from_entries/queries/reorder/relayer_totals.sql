-- Question: How many unpacked bytes do the images of a search for other layers hold today?
-- Grain:    one row
-- Params:   none
-- Columns:  unpacked_bytes  BIGINT  content of their chain nodes, each once
-- Source:   docs/measures.md, "Unpacked bytes"
WITH chains AS (
    SELECT DISTINCT stack.chain_id, stack.layer
    FROM stack
    JOIN numbered_image USING (image_id)
)

SELECT coalesce(sum(layers.content_bytes), 0)::BIGINT AS unpacked_bytes
FROM chains
JOIN layers USING (layer);
