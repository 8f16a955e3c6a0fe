-- Question: Which layers of a batch are above which in some chain?
-- Grain:    one row per pair of layers
-- Params:   none
-- Columns:  number  INTEGER  a layer of the batch
--           other   INTEGER  a layer above or below it; each pair in both orders
-- Source:   docs/measures.md, "Chain nodes"
WITH pairs AS (
    SELECT DISTINCT layer AS above_number, below_layer AS below_number
    FROM above
    WHERE layer IS NOT NULL AND below_layer IS NOT NULL
)

SELECT above_number AS number, below_number AS other FROM pairs
UNION
SELECT below_number, above_number FROM pairs;
