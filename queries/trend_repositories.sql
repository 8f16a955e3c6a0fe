-- Question: How has each repository grown over all scans that the catalog keeps?
-- Grain:    one row per (scan, repository); oldest scan first. Images without a name are left out
-- Params:   none
-- Columns:  scan            VARCHAR    its ID
--           finished        TIMESTAMP  UTC
--           repository      VARCHAR    name of its images without tag and digest
--           images          BIGINT     images with a name in it
--           unpacked_bytes  BIGINT     content of their distinct chain nodes, shared ones too: the
--                                      column does not add up
--           growth_bytes    BIGINT     growth since the last scan before it that read some of the
--                                      same sources; null if there is none
-- Source:   docs/measures.md, "Unpacked bytes", "Groups"
WITH baselines AS (
    SELECT later.scan, max(earlier.scan) AS baseline
    FROM sources AS later
    JOIN sources AS earlier ON earlier.source = later.source AND earlier.scan < later.scan
    GROUP BY later.scan
),

named AS (
    SELECT scan, image_id, unnest(names) AS name FROM images WHERE kind = 'image'
),

placed AS (
    SELECT DISTINCT
        scan,
        image_id,
        coalesce(nullif(repository_of(name), ''), '(empty)') AS repository
    FROM named
),

counted AS (
    SELECT scan, repository, count(*) AS images FROM placed GROUP BY scan, repository
),

chains AS (
    SELECT
        placed.scan,
        placed.repository,
        image_layers.chain_id,
        arg_min(
            image_layers.layer, (doubt_of(image_layers.layer), image_layers.layer)
        ) AS layer
    FROM placed
    JOIN image_layers USING (scan, image_id)
    GROUP BY placed.scan, placed.repository, image_layers.chain_id
),

unpacked AS (
    SELECT chains.scan, chains.repository, sum(layers.content_bytes)::BIGINT AS unpacked_bytes
    FROM chains
    JOIN layers USING (layer)
    GROUP BY chains.scan, chains.repository
)

SELECT
    counted.scan,
    make_timestamp((scans.finished * 1000000)::BIGINT) AS finished,
    counted.repository,
    counted.images,
    coalesce(unpacked.unpacked_bytes, 0) AS unpacked_bytes,
    CASE
        WHEN baselines.baseline IS NOT NULL
            THEN coalesce(unpacked.unpacked_bytes, 0) - coalesce(earlier.unpacked_bytes, 0)
    END AS growth_bytes
FROM counted
JOIN scans USING (scan)
LEFT JOIN unpacked USING (scan, repository)
LEFT JOIN baselines USING (scan)
LEFT JOIN unpacked AS earlier
    ON earlier.scan = baselines.baseline AND earlier.repository = counted.repository
ORDER BY counted.scan, unpacked_bytes DESC, counted.repository;
