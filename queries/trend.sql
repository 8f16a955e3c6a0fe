-- Question: How have the stores grown over all scans that the catalog keeps?
-- Grain:    one row per scan, oldest first
-- Params:   none
-- Columns:  scan                  VARCHAR    its ID
--           finished              TIMESTAMP  UTC
--           sources               BIGINT     number of sources that it read
--           images                BIGINT     images, each once; cache images too
--           incomplete_images     BIGINT     of these, images with a layer that could not be read;
--                                            unless it is 0, figures of content are lower bounds
--           layers                BIGINT     distinct layers with rows
--           stored_bytes          BIGINT     on disk in all sources
--           unpacked_bytes        BIGINT     content of distinct chain nodes
--           layer_bytes           BIGINT     content of distinct layers
--           position_loss_bytes   BIGINT     unpacked - layer
--           growth_bytes          BIGINT     stored bytes since the last scan before it that read
--                                            some of the same sources; null if there is none
-- Source:   docs/measures.md, "Bytes of the whole scan", "Incomplete images"
WITH stored AS (
    SELECT scan, count(*) AS sources, sum(stored_bytes)::BIGINT AS stored_bytes
    FROM sources
    GROUP BY scan
),

baselines AS (
    SELECT later.scan, max(earlier.scan) AS baseline
    FROM sources AS later
    JOIN sources AS earlier ON earlier.source = later.source AND earlier.scan < later.scan
    GROUP BY later.scan
),

image_counts AS (
    SELECT scan, count(DISTINCT image_id) AS images
    FROM images
    WHERE kind = 'image'
    GROUP BY scan
),

-- The relations stack and node, of every scan.
stacks AS (
    SELECT scan, image_id, chain_id, layer
    FROM image_layers
    QUALIFY
        row_number() OVER (
            PARTITION BY scan, image_id, position ORDER BY doubt_of(layer), source
        ) = 1
),

incomplete AS (
    SELECT scan, count(DISTINCT image_id) AS images FROM stacks WHERE layer IS NULL GROUP BY scan
),

nodes AS (
    SELECT scan, chain_id, arg_min(layer, (doubt_of(layer), layer)) AS layer
    FROM stacks
    GROUP BY scan, chain_id
),

unpacked AS (
    SELECT nodes.scan, sum(layers.content_bytes)::BIGINT AS unpacked_bytes
    FROM nodes
    JOIN layers USING (layer)
    GROUP BY nodes.scan
),

distinct_layers AS (
    SELECT used.scan, count(*) AS layers, sum(layers.content_bytes)::BIGINT AS layer_bytes
    FROM (SELECT DISTINCT scan, layer FROM nodes) AS used
    JOIN layers USING (layer)
    GROUP BY used.scan
)

SELECT
    scans.scan,
    make_timestamp((scans.finished * 1000000)::BIGINT) AS finished,
    coalesce(stored.sources, 0) AS sources,
    coalesce(image_counts.images, 0) AS images,
    coalesce(incomplete.images, 0) AS incomplete_images,
    coalesce(distinct_layers.layers, 0) AS layers,
    coalesce(stored.stored_bytes, 0) AS stored_bytes,
    coalesce(unpacked.unpacked_bytes, 0) AS unpacked_bytes,
    coalesce(distinct_layers.layer_bytes, 0) AS layer_bytes,
    coalesce(unpacked.unpacked_bytes, 0) - coalesce(distinct_layers.layer_bytes, 0)
        AS position_loss_bytes,
    stored.stored_bytes - earlier.stored_bytes AS growth_bytes
FROM scans
LEFT JOIN stored USING (scan)
LEFT JOIN image_counts USING (scan)
LEFT JOIN incomplete USING (scan)
LEFT JOIN unpacked USING (scan)
LEFT JOIN distinct_layers USING (scan)
LEFT JOIN baselines USING (scan)
LEFT JOIN stored AS earlier ON earlier.scan = baselines.baseline
ORDER BY scans.scan;
