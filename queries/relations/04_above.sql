-- Question: Which nodes are below each node, in its own chain?
-- Grain:    one row per (node, node below it)
-- Params:   none
-- Columns:  chain_id        VARCHAR  upper node
--           position        INTEGER  its position
--           layer           VARCHAR  its layer
--           below           VARCHAR  chain ID of a node in its parent chain
--           below_position  INTEGER  position of that node
--           below_layer     VARCHAR  layer of that node
-- Source:   docs/measures.md, "Chain nodes"
WITH RECURSIVE ancestor AS (
    SELECT chain_id, position, layer, parent AS below FROM node WHERE parent IS NOT NULL
    UNION ALL
    SELECT ancestor.chain_id, ancestor.position, ancestor.layer, node.parent
    FROM ancestor
    JOIN node ON node.chain_id = ancestor.below
    WHERE node.parent IS NOT NULL
)

SELECT
    ancestor.chain_id,
    ancestor.position,
    ancestor.layer,
    ancestor.below,
    node.position AS below_position,
    node.layer AS below_layer
FROM ancestor
JOIN node ON node.chain_id = ancestor.below;
