-- Question: Which layers are of images of Windows, whose names ignore case?
-- Grain:    one row per layer
-- Params:   none
-- Columns:  layer  VARCHAR  key of the layer's rows
-- Source:   docs/measures.md, "Windows images"
SELECT stack.layer
FROM stack
JOIN image USING (image_id)
WHERE stack.layer IS NOT NULL
GROUP BY stack.layer
HAVING bool_and(coalesce(starts_with(image.platform, 'windows/'), FALSE));
