-- Question: Which chain nodes (layers in their place) exist, and how many images contain each?
-- Grain:    one row per chain ID
-- Params:   none
-- Columns:  chain_id    VARCHAR  the layer in its place
--           parent      VARCHAR  chain ID below it; null for a base
--           layer       VARCHAR  key of the layer's rows; null if no image has them
--           position    INTEGER  layer index, 0 = base
--           images      BIGINT   images whose stack contains it
--           image_id    VARCHAR  the smallest image ID of them
--           created_by  VARCHAR  its build step in that image
--           is_first    BOOLEAN  the smallest chain ID of its layer
--           is_windows  BOOLEAN  all images that contain it are of Windows
--           node_id     UUID     equal for equal rows of all layers up to it, in any scan
-- Source:   docs/measures.md, "Chain ID"; OCI image-spec config.md, "Layer ChainID"
WITH RECURSIVE counted AS (
    SELECT
        chain_id,
        min(layer) AS layer,
        min(position) AS position,
        count(*) AS images,
        min(image_id) AS image_id,
        min(created_by) AS created_by,
        min(layer) < max(layer) OR min(created_by) < max(created_by) AS is_mixed
    FROM stack
    GROUP BY chain_id
),

-- Images that agree in the chain agree in nearly all else. Only for the others, rows are chosen.
mixed AS (
    SELECT
        chain_id,
        arg_min(layer, (doubt_of(layer), layer)) AS layer,
        arg_min(created_by, image_id) AS created_by
    FROM stack
    WHERE chain_id IN (SELECT chain_id FROM counted WHERE is_mixed)
    GROUP BY chain_id
),

of_windows AS (
    SELECT chain_id, count(*) AS images
    FROM stack
    WHERE image_id IN (SELECT image_id FROM image WHERE starts_with(platform, 'windows/'))
    GROUP BY chain_id
),

chained AS (
    SELECT
        counted.chain_id,
        lower.chain_id AS parent,
        coalesce(mixed.layer, counted.layer) AS layer,
        counted.position,
        counted.images,
        counted.image_id,
        coalesce(mixed.created_by, counted.created_by) AS created_by,
        coalesce(of_windows.images = counted.images, FALSE) AS is_windows
    FROM counted
    LEFT JOIN mixed USING (chain_id)
    LEFT JOIN of_windows USING (chain_id)
    LEFT JOIN stack AS lower
        ON lower.image_id = counted.image_id AND lower.position = counted.position - 1
),

known AS (
    SELECT
        chained.chain_id,
        chained.parent,
        coalesce(layers.rows_id::VARCHAR, 'unknown') AS rows_id
    FROM chained
    LEFT JOIN layers USING (layer)
),

identified AS (
    SELECT chain_id, digest_of(rows_id)::UUID AS node_id
    FROM known
    WHERE parent IS NULL
    UNION ALL
    SELECT known.chain_id, digest_of(concat_ws(' ', identified.node_id, known.rows_id))::UUID
    FROM identified
    JOIN known ON known.parent = identified.chain_id
)

SELECT
    chained.* EXCLUDE (is_windows),
    chained.chain_id = min(chained.chain_id) OVER (PARTITION BY chained.layer) AS is_first,
    chained.is_windows,
    identified.node_id
FROM chained
JOIN identified USING (chain_id);
