-- Question: How have the stores grown over all scans that the catalog keeps?
-- Grain:    one row per scan, oldest first
-- Params:   none
-- Columns:  scan                  VARCHAR    its ID
--           finished              TIMESTAMP  UTC
--           sources               BIGINT     sources of the view at that time
--           scanned               BIGINT     of these, sources that this scan read
--           images                BIGINT     images, each once; cache images too
--           incomplete_images     BIGINT     of these, images with a layer that could not be read;
--                                            unless it is 0, figures of content are lower bounds
--           layers                BIGINT     distinct layers with rows
--           stored_bytes          BIGINT     on disk in all sources
--           unpacked_bytes        BIGINT     content of distinct chain nodes
--           layer_bytes           BIGINT     content of distinct layers
--           position_loss_bytes   BIGINT     unpacked - layer
--           growth_bytes          BIGINT     stored bytes since the scan before it, without sources
--                                            that no scan had looked for until then; null if there
--                                            are no others
-- Source:   docs/measures.md, "Bytes of the whole scan", "Which scans answer",
--           "Incomplete images"
--
-- A row is about the view at the time of its scan: of each source the rows of its latest scan until
-- then. Otherwise a scan of one store of many would look like a loss.
WITH stored AS (
    SELECT
        held.scan,
        count(*) AS sources,
        count(*) FILTER (WHERE held.rows_of = held.scan) AS scanned,
        sum(sources.stored_bytes)::BIGINT AS stored_bytes,
        sum(sources.stored_bytes) FILTER (WHERE NOT held.is_first_seen) AS compared_bytes,
        count(*) FILTER (WHERE held.rows_of = held.scan AND NOT held.is_first_seen) AS compared
    FROM held
    JOIN sources ON sources.source = held.source AND sources.scan = held.rows_of
    GROUP BY held.scan
),

image_counts AS (
    SELECT held.scan, count(DISTINCT images.image_id) AS images
    FROM held
    JOIN images ON images.source = held.source AND images.scan = held.rows_of
    WHERE images.kind = 'image'
    GROUP BY held.scan
),

-- The relations stack and node, of every scan.
stacks AS (
    SELECT held.scan, image_layers.image_id, image_layers.chain_id, image_layers.layer
    FROM held
    JOIN image_layers ON image_layers.source = held.source AND image_layers.scan = held.rows_of
    QUALIFY
        row_number() OVER (
            PARTITION BY held.scan, image_layers.image_id, image_layers.position
            ORDER BY doubt_of(image_layers.layer), image_layers.source
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
),

lost AS (
    SELECT gone.scan, count(*) AS gone
    FROM (SELECT scan, unnest(gone) AS source FROM scans) AS gone
    JOIN view_scope USING (source)
    GROUP BY gone.scan
),

rows_of_scans AS (
    SELECT
        scans.scan,
        scans.finished,
        coalesce(lost.gone, 0) AS gone,
        lag(scans.scan) OVER (ORDER BY scans.scan) AS earlier,
        coalesce(stored.sources, 0) AS sources,
        coalesce(stored.scanned, 0) AS scanned,
        coalesce(stored.compared, 0) AS compared,
        coalesce(stored.stored_bytes, 0) AS stored_bytes,
        coalesce(stored.compared_bytes, 0) AS compared_bytes,
        lag(coalesce(stored.stored_bytes, 0)) OVER (ORDER BY scans.scan) AS earlier_bytes
    FROM scans
    LEFT JOIN stored USING (scan)
    LEFT JOIN lost USING (scan)
)

SELECT
    rows_of_scans.scan,
    make_timestamp((rows_of_scans.finished * 1000000)::BIGINT) AS finished,
    rows_of_scans.sources,
    rows_of_scans.scanned,
    coalesce(image_counts.images, 0) AS images,
    coalesce(incomplete.images, 0) AS incomplete_images,
    coalesce(distinct_layers.layers, 0) AS layers,
    rows_of_scans.stored_bytes,
    coalesce(unpacked.unpacked_bytes, 0) AS unpacked_bytes,
    coalesce(distinct_layers.layer_bytes, 0) AS layer_bytes,
    coalesce(unpacked.unpacked_bytes, 0) - coalesce(distinct_layers.layer_bytes, 0)
        AS position_loss_bytes,
    CASE
        WHEN
            rows_of_scans.earlier IS NOT NULL
            AND (rows_of_scans.compared > 0 OR rows_of_scans.gone > 0)
            THEN (rows_of_scans.compared_bytes - rows_of_scans.earlier_bytes)::BIGINT
    END AS growth_bytes
FROM rows_of_scans
LEFT JOIN image_counts USING (scan)
LEFT JOIN incomplete USING (scan)
LEFT JOIN unpacked USING (scan)
LEFT JOIN distinct_layers USING (scan)
ORDER BY rows_of_scans.scan;
