-- Question: Which position has each layer today and in a proposed order?
-- Grain:    two rows per row of scan_image_layers
-- Params:   $images     VARCHAR[]  image IDs; one for each position of each image
--           $positions  INTEGER[]  position of the layer today
--           $proposed   INTEGER[]  position of the layer in the proposed order
-- Columns:  as the table image_layers; the image ID of the second is 'proposed:' and that of the
--           first, with the positions and chain IDs of the proposed order
-- Source:   docs/measures.md, "Chain ID"; OCI image-spec config.md, "Layer ChainID"
WITH RECURSIVE moved AS (
    SELECT
        unnest($images::VARCHAR[]) AS image_id,
        unnest($positions::INTEGER[]) AS position,
        unnest($proposed::INTEGER[]) AS proposed
),

placed AS (
    SELECT
        layer.*
        REPLACE ('proposed:' || layer.image_id AS image_id, moved.proposed AS position)
    FROM scan_image_layers AS layer
    JOIN moved USING (image_id, position)
),

chains AS (
    SELECT source, image_id, digest, position, diff_id AS chain_id FROM placed WHERE position = 0
    UNION
    SELECT
        placed.source,
        placed.image_id,
        placed.digest,
        placed.position,
        'sha256:' || sha256(chains.chain_id || ' ' || placed.diff_id)
    FROM chains
    JOIN placed
        ON placed.source = chains.source
        AND placed.image_id = chains.image_id
        AND placed.digest IS NOT DISTINCT FROM chains.digest
        AND placed.position = chains.position + 1
)

SELECT * FROM scan_image_layers
UNION ALL
SELECT placed.* REPLACE (chains.chain_id AS chain_id)
FROM placed
JOIN chains
    ON chains.source = placed.source
    AND chains.image_id = placed.image_id
    AND chains.digest IS NOT DISTINCT FROM placed.digest
    AND chains.position = placed.position
ORDER BY image_id, source, digest, position;
