-- Question: How many copies does each layer hold of each content of a class?
-- Grain:    one row per (class with contents, layer), of all layers whose contents are kept
-- Params:   none
-- Columns:  class    BIGINT   equal for contents with as many copies in each layer as each other,
--                             in all layers whose contents are kept
--           number   INTEGER  number of the layer, as in the relation numbered_layer
--           copies   BIGINT   files of the layer with one of these contents
--           is_held  BOOLEAN  an image of the view holds the layer
-- Source:   docs/measures.md, "Content hash"; docs/catalog.md, "Derived rows"
WITH RECURSIVE sums AS (
    SELECT class, max(extends) AS extends, sum(contents) AS contents
    FROM kept_class_change
    GROUP BY class
),

lineage AS (
    SELECT class, class AS lower, extends FROM sums WHERE contents > 0
    UNION ALL
    SELECT lineage.class, sums.class AS lower, sums.extends
    FROM lineage
    JOIN sums ON sums.class = lineage.extends
)

SELECT
    lineage.class,
    kept.number,
    kept.copies,
    kept.number IN (SELECT number FROM numbered_layer) AS is_held
FROM lineage
JOIN kept_class_member AS kept ON kept.class = lineage.lower;
