-- Question: Which layers of an image may not change places, and for which path?
-- Grain:    one row per (lower layer, upper layer) that do not commute in the grade
-- Params:   $grade  VARCHAR  equivalent, identical
-- Columns:  lower_layer  VARCHAR  key of the layer
--           upper_layer  VARCHAR  key of a layer that stands above it in some image
--           rule         VARCHAR  what forbids it, as the relation conflict has it
--           lower_path   VARCHAR  witness: a path that the lower layer names
--           upper_path   VARCHAR  and what it meets in the upper layer
--           paths        BIGINT   meetings of that grade
-- Source:   MEASURES.md, "Reordering"
SELECT lower_layer, upper_layer, rule, lower_path, upper_path, paths
FROM conflict
WHERE grade = 'equivalent' OR $grade::VARCHAR = 'identical'
ORDER BY lower_layer, upper_layer;
