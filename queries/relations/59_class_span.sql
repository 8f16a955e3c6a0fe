-- Question: Which images hold the contents of each class, as spans of their numbers?
-- Grain:    one row per (class, span)
-- Params:   none
-- Columns:  class  BIGINT   as in the relation class_layer
--           first  INTEGER  first number of the span
--           last   INTEGER  last number of it; the next is of an image without these contents
-- Source:   docs/measures.md, "Units and granularities"
--
-- The cost grows with the number of layers of all classes, each with its spans.
WITH spans AS (
    SELECT class_layer.class, layer_span.first, layer_span.last
    FROM class_layer
    JOIN layer_span USING (number)
),

-- The spans of several layers meet and overlap. One that begins after all before it begins a span
-- of the class, and ends the one before.
starts AS (
    SELECT
        class,
        first,
        max(last) OVER (
            PARTITION BY class
            ORDER BY first
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS ended
    FROM spans
    QUALIFY coalesce(first > ended + 1, TRUE)
),

ends AS (
    SELECT class, max(last) AS last FROM spans GROUP BY class
)

SELECT
    starts.class,
    starts.first,
    coalesce(
        lead(starts.ended) OVER (PARTITION BY starts.class ORDER BY starts.first), ends.last
    ) AS last
FROM starts
JOIN ends USING (class);
