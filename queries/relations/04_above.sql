-- Question: Which nodes lie below a node, in its own chain?
-- Grain:    one row per (node, node below it)
-- Params:   none
-- Columns:  chain_id        VARCHAR  upper node
--           position        INTEGER  its position
--           layer           VARCHAR  its layer
--           below           VARCHAR  chain ID of a node in its parent chain
--           below_position  INTEGER  position of that
--           below_layer     VARCHAR  layer of that
-- Source:   MEASURES.md, "Bytes"
WITH RECURSIVE climb AS (
    SELECT chain_id, position, layer, parent AS below FROM node WHERE parent IS NOT NULL
    UNION ALL
    SELECT climb.chain_id, climb.position, climb.layer, node.parent
    FROM climb
    JOIN node ON node.chain_id = climb.below
    WHERE node.parent IS NOT NULL
)

SELECT
    climb.chain_id,
    climb.position,
    climb.layer,
    climb.below,
    node.position AS below_position,
    node.layer AS below_layer
FROM climb
JOIN node ON node.chain_id = climb.below
ORDER BY climb.chain_id, below_position;
