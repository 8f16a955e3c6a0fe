-- Question: Which layers would one build step have made, had it run once?
-- Grain:    one row per layer that some image references
-- Params:   none
-- Columns:  layer   VARCHAR  key of the layer
--           class   VARCHAR  smallest key among the layers that are the same but for timestamps or
--                            overlap, directly or by others between
--           reason  VARCHAR  timestamps, overlap; null for a layer that is alone
-- Source:   MEASURES.md, "Reordering": classes of the step order
WITH RECURSIVE timeless AS (
    SELECT layer, min(layer) OVER (PARTITION BY description) AS other_layer FROM description
),

linked AS (
    SELECT layer, other_layer, 'timestamps' AS reason FROM timeless WHERE layer <> other_layer
    UNION ALL
    SELECT layer, other_layer, 'overlap' FROM overlap
),

pair AS (
    SELECT layer, other_layer FROM linked
    UNION
    SELECT other_layer, layer FROM linked
),

reached AS (
    SELECT DISTINCT layer, layer AS class FROM pair
    UNION
    SELECT pair.other_layer, reached.class FROM reached JOIN pair USING (layer)
),

classed AS (
    SELECT layer, min(class) AS class FROM reached GROUP BY layer
),

-- one overlap in a class makes it one by overlap
reasons AS (
    SELECT classed.class, min(linked.reason) AS reason
    FROM linked
    JOIN classed USING (layer)
    GROUP BY classed.class
)

SELECT layers.layer, coalesce(classed.class, layers.layer) AS class, reasons.reason
FROM layers
LEFT JOIN classed USING (layer)
LEFT JOIN reasons ON reasons.class = classed.class
WHERE layers.layer IN (SELECT layer FROM node);
