-- Question: Which layers of a batch are above which in some chain?
-- Grain:    one row per pair of layers
-- Params:   none
-- Columns:  number  INTEGER  a layer of the batch
--           other   INTEGER  a layer above or below it; each pair in both orders
-- Source:   docs/measures.md, "Chain nodes"
WITH pairs AS (
    SELECT DISTINCT upper_layer.number AS above_number, lower_layer.number AS below_number
    FROM above
    JOIN batch_layer AS upper_layer ON upper_layer.layer = above.layer
    JOIN batch_layer AS lower_layer ON lower_layer.layer = above.below_layer
)

SELECT above_number AS number, below_number AS other FROM pairs
UNION
SELECT below_number, above_number FROM pairs;
