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
--           growth_bytes    BIGINT     growth since the scan before it, without sources that no
--                                      scan had looked for until then; null if there are no
--                                      others, or if one of both has incomplete images
-- Source:   docs/measures.md, "Unpacked bytes", "Groups", "Which scans answer",
--           "Incomplete images"
--
-- A row is about the view at the time of its scan, as those of the trend of all stores are.
WITH read_again AS (
    SELECT scan FROM held WHERE rows_of = scan AND NOT is_first_seen
    UNION
    SELECT gone.scan
    FROM (SELECT scan, unnest(gone) AS source FROM scans) AS gone
    JOIN view_scope USING (source)
),

compared AS (
    SELECT
        scans.scan,
        lag(scans.scan) OVER (ORDER BY scans.scan) AS earlier,
        read_again.scan IS NOT NULL AS is_compared
    FROM scans
    LEFT JOIN read_again USING (scan)
),

named AS (
    SELECT
        held.scan,
        held.source,
        held.is_first_seen,
        images.image_id,
        unnest(images.names) AS name
    FROM held
    JOIN images ON images.source = held.source AND images.scan = held.rows_of
    WHERE images.kind = 'image'
),

placed AS (
    SELECT
        scan,
        image_id,
        coalesce(nullif(repository_of(name), ''), '(empty)') AS repository,
        bool_and(is_first_seen) AS is_first_seen
    FROM named
    GROUP BY ALL
),

stacks AS (
    SELECT
        held.scan,
        image_layers.image_id,
        image_layers.position,
        image_layers.chain_id,
        image_layers.layer
    FROM held
    JOIN image_layers ON image_layers.source = held.source AND image_layers.scan = held.rows_of
),

unread AS (
    SELECT scan, image_id
    FROM stacks
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
        stacks.chain_id,
        arg_min(stacks.layer, (doubt_of(stacks.layer), stacks.layer)) AS layer,
        bool_and(placed.is_first_seen) AS is_first_seen
    FROM placed
    JOIN stacks USING (scan, image_id)
    GROUP BY placed.scan, placed.repository, stacks.chain_id
),

unpacked AS (
    SELECT
        chains.scan,
        chains.repository,
        sum(layers.content_bytes)::BIGINT AS unpacked_bytes,
        coalesce(sum(layers.content_bytes) FILTER (WHERE NOT chains.is_first_seen), 0)::BIGINT
            AS compared_bytes
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
            compared.is_compared
            AND compared.earlier IS NOT NULL
            AND counted.incomplete_images + coalesce(former.incomplete_images, 0) = 0
            THEN coalesce(unpacked.compared_bytes, 0) - coalesce(earlier.unpacked_bytes, 0)
    END AS growth_bytes
FROM counted
JOIN scans USING (scan)
JOIN compared USING (scan)
LEFT JOIN unpacked USING (scan, repository)
LEFT JOIN unpacked AS earlier
    ON earlier.scan = compared.earlier AND earlier.repository = counted.repository
LEFT JOIN counted AS former
    ON former.scan = compared.earlier AND former.repository = counted.repository
ORDER BY counted.scan, unpacked_bytes DESC, counted.repository;
