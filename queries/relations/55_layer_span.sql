-- Question: Which images hold each layer, as spans of their numbers?
-- Grain:    one row per (layer whose contents are known, span)
-- Params:   none
-- Columns:  number  INTEGER  number of the layer, as in the relation numbered_layer
--           first   INTEGER  first number of the span, as in the relation holder
--           last    INTEGER  last number of it; the next is of an image without the layer
-- Source:   docs/measures.md, "Units and granularities"
WITH held AS (
    SELECT DISTINCT numbered_layer.number, holder.number AS image
    FROM stack
    JOIN numbered_layer USING (layer)
    JOIN holder ON holder.holder = stack.image_id
)

SELECT number, min(image) AS first, max(image) AS last
FROM (
    SELECT number, image, image - row_number() OVER (PARTITION BY number ORDER BY image) AS island
    FROM held
) AS islands
GROUP BY number, island;
