-- Question: How many layers and entries does this scan cover?
-- Grain:    one row
-- Params:   none
-- Columns:  layers   BIGINT  distinct layers with rows, of images and containers
--           entries  BIGINT  their entries
-- Source:   docs/catalog.md
WITH held AS (
    SELECT layer FROM scan_image_layers
    UNION
    SELECT layer FROM scan_containers
)

SELECT count(*) AS layers, coalesce(sum(layers.entries), 0)::BIGINT AS entries
FROM held
JOIN layers USING (layer)
ORDER BY layers;
