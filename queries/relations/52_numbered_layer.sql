-- Question: By which number are the layers known in derived rows of contents?
-- Grain:    one row per layer whose contents are known
-- Params:   none
-- Columns:  number      INTEGER  in kept_layer_number
--           layer       VARCHAR  key of the layer's rows
--           is_windows  BOOLEAN  all images that contain it are of Windows
-- Source:   docs/catalog.md, "Derived rows"
SELECT kept.number, layers.layer, bool_and(node.is_windows) AS is_windows
FROM kept_layer_number AS kept
JOIN layers USING (rows_id)
JOIN node USING (layer)
GROUP BY kept.number, layers.layer;
