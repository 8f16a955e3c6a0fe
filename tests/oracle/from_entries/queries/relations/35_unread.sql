-- Question: Which layers of images could not be read, and why?
-- Grain:    one row per (image, position) without rows
-- Params:   none
-- Columns:  image_id   VARCHAR  config digest as computed
--           position   INTEGER  layer index, 0 = base
--           chain_id   VARCHAR  the layer in its place
--           code       VARCHAR  code of the problem, as in docs/problems.md
-- Source:   docs/measures.md, "Incomplete images"
--
-- Scans of older versions did not keep the code: what became of the layer gives a general one.
SELECT
    stack.image_id,
    stack.position,
    stack.chain_id,
    coalesce(
        min(scan_image_layers.problem),
        min(CASE scan_image_layers.state
            WHEN 'absent' THEN 'blob-missing'
            WHEN 'foreign' THEN 'foreign-layer'
            WHEN 'encrypted' THEN 'encrypted-layer'
            WHEN 'unsupported' THEN 'unsupported-layer'
            WHEN 'unopened' THEN 'not-opened'
            ELSE 'unreadable'
        END)
    ) AS code
FROM stack
JOIN scan_image_layers USING (image_id, position)
WHERE stack.layer IS NULL
GROUP BY stack.image_id, stack.position, stack.chain_id
ORDER BY stack.image_id, stack.position;
