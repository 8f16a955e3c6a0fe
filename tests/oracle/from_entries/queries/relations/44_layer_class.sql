-- Question: Which layers would be one layer if their build step had run only once?
-- Grain:    one row per layer that some image references
-- Params:   none
-- Columns:  layer   VARCHAR  key of the layer
--           class   VARCHAR  smallest key among the layers that are the same but for timestamps
--                            or encoding, or overlap, directly or through other layers
--           reason  VARCHAR  encoding, timestamps, overlap: the furthest that two of them differ;
--                            null if the layer is alone in its class
-- Source:   docs/measures.md, "Step order", "The same but for timestamps"
WITH RECURSIVE timeless AS (
    SELECT
        layer,
        first_value(layer) OVER first_layer AS other_layer,
        first_value(exact) OVER first_layer AS other_exact,
        exact
    FROM description
    WINDOW first_layer AS (PARTITION BY description ORDER BY layer)
),

linked AS (
    SELECT
        layer,
        other_layer,
        CASE WHEN exact = other_exact THEN 'encoding' ELSE 'timestamps' END AS reason
    FROM timeless
    WHERE layer <> other_layer
    UNION ALL
    SELECT overlap.layer, overlap.other_layer, 'overlap'
    FROM overlap
    JOIN description AS one USING (layer)
    JOIN description AS other ON other.layer = overlap.other_layer
    WHERE one.description <> other.description
),

pair AS (
    SELECT layer, other_layer FROM linked
    UNION
    SELECT other_layer, layer FROM linked
),

-- The connected components of the pairs: each layer with every layer that it is linked to.
reached AS (
    SELECT DISTINCT layer, layer AS class FROM pair
    UNION
    SELECT pair.other_layer, reached.class FROM reached JOIN pair USING (layer)
),

classed AS (
    SELECT layer, min(class) AS class FROM reached GROUP BY layer
),

-- A class that contains any overlap has the reason overlap, else timestamps if any times differ.
reasons AS (
    SELECT
        classed.class,
        arg_max(linked.reason, list_position(['encoding', 'timestamps', 'overlap'], linked.reason))
            AS reason
    FROM linked
    JOIN classed USING (layer)
    GROUP BY classed.class
)

SELECT layers.layer, coalesce(classed.class, layers.layer) AS class, reasons.reason
FROM layers
LEFT JOIN classed USING (layer)
LEFT JOIN reasons ON reasons.class = classed.class
WHERE layers.layer IN (SELECT layer FROM node);
