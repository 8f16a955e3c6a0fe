-- Question: Which layers of an image cannot change places, if another order of it can matter?
-- Grain:    one row per (lower layer, upper layer) that do not commute in the grade
-- Params:   $grade  VARCHAR  equivalent, identical
-- Columns:  lower_layer  VARCHAR  key of the layer
--           upper_layer  VARCHAR  key of a layer that is above it in some image
--           rule         VARCHAR  rule that forbids it, as in the relation conflict
--           lower_path   VARCHAR  evidence: a path that the lower layer names; null if it is of
--                                 the upper layer alone
--           upper_path   VARCHAR  path of the upper layer that conflicts with it; null if it is
--                                 of the lower layer alone
--           paths        BIGINT   number of conflicts that count for this grade
-- Source:   docs/measures.md, "Layers that commute", "Grades of equality"
SELECT lower_layer, upper_layer, rule, lower_path, upper_path, paths
FROM movable_conflict
WHERE grade = 'equivalent' OR $grade::VARCHAR = 'identical'
ORDER BY lower_layer, upper_layer;
