-- Question: How has each repository grown over all scans that the catalog keeps?
-- Grain:    one row per (scan, repository); oldest scan first. Images without a name are left out
-- Params:   none
-- Columns:  scan            VARCHAR    its ID
--           finished        TIMESTAMP  UTC
--           repository      VARCHAR    name of its images without tag and digest
--           images          BIGINT     images with a name in it
--           incomplete_images  BIGINT  of these, images with a layer that could not be read; unless
--                                      it is 0, figures of content are lower bounds
--           unpacked_bytes  BIGINT     content of their distinct chain nodes, shared ones too: the
--                                      column does not add up
--           growth_bytes    BIGINT     growth since the last scan before it that read some of the
--                                      same sources; null if there is none, or if one of both has
--                                      incomplete images
-- Source:   docs/measures.md, "Unpacked bytes", "Groups", "Incomplete images"
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

unread AS (
    SELECT scan, image_id
    FROM image_layers
    GROUP BY scan, image_id, position
    HAVING bool_and(layer IS NULL)
),

incomplete AS (
    SELECT DISTINCT scan, image_id, TRUE AS is_incomplete FROM unread
),

counted AS (
    SELECT
        placed.scan,
        placed.repository,
        count(*) AS images,
        count(incomplete.is_incomplete) AS incomplete_images
    FROM placed
    LEFT JOIN incomplete USING (scan, image_id)
    GROUP BY placed.scan, placed.repository
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
    counted.incomplete_images,
    coalesce(unpacked.unpacked_bytes, 0) AS unpacked_bytes,
    CASE
        WHEN
            baselines.baseline IS NOT NULL
            AND counted.incomplete_images + coalesce(former.incomplete_images, 0) = 0
            THEN coalesce(unpacked.unpacked_bytes, 0) - coalesce(earlier.unpacked_bytes, 0)
    END AS growth_bytes
FROM counted
JOIN scans USING (scan)
LEFT JOIN unpacked USING (scan, repository)
LEFT JOIN baselines USING (scan)
LEFT JOIN unpacked AS earlier
    ON earlier.scan = baselines.baseline AND earlier.repository = counted.repository
LEFT JOIN counted AS former
    ON former.scan = baselines.baseline AND former.repository = counted.repository
ORDER BY counted.scan, unpacked_bytes DESC, counted.repository;
