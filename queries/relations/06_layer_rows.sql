-- Question: Which derived rows are those of each layer of the view?
-- Grain:    one row per layer that an image or a container references
-- Params:   none
-- Columns:  layer       VARCHAR  key of the layer
--           rows_id     UUID     as in layers; another for layers of Windows
--           is_windows  BOOLEAN  it has nodes, all of Windows
-- Source:   docs/catalog.md, "Derived rows"
--
-- In layers of Windows, paths are spelled as most layers of the view spell them, so their rows are
-- those of this view alone. The other ID keeps them apart from rows of a view in which an image
-- that is not of Windows has the layer.
WITH placed AS (
    SELECT layer, is_windows FROM node WHERE layer IS NOT NULL
    UNION ALL
    SELECT layer, NULL FROM scan_containers WHERE layer IS NOT NULL
),

referenced AS (
    SELECT layer, coalesce(bool_and(is_windows), FALSE) AS is_windows FROM placed GROUP BY layer
)

SELECT
    referenced.layer,
    if(
        referenced.is_windows,
        digest_of(concat_ws(' ', layers.rows_id, 'windows'))::UUID,
        layers.rows_id
    ) AS rows_id,
    referenced.is_windows
FROM referenced
JOIN layers USING (layer);
