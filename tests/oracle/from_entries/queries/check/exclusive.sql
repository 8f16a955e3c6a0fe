-- Question: Which are the largest layers that only one of these repositories holds?
-- Grain:    one row per chain ID, largest first
-- Params:   $repositories  VARCHAR[]  names as in usage
--           $most          BIGINT     maximum number of rows
-- Columns:  content_bytes  BIGINT     logical size of the layer's regular files
--           repository     VARCHAR    the repository that holds it
--           images         BIGINT     images that contain it
--           position       INTEGER    layer index
--           image          VARCHAR    name of one of the images
--           step           VARCHAR    build step; null if the config gives none
--           paths          VARCHAR[]  its three largest files
-- Source:   docs/check.md, "Rules"; docs/measures.md, "Groups"
WITH known AS (
    SELECT
        image_id,
        unnest(CASE WHEN len(names) = 0 THEN [NULL] ELSE names END) AS name
    FROM image
    WHERE NOT is_cache
),

chain_repositories AS (
    SELECT
        stack.chain_id,
        list(
            DISTINCT CASE
                WHEN known.name IS NULL THEN '(no name)'
                ELSE coalesce(nullif(repository_of(known.name), ''), '(empty)')
            END
        ) AS repositories
    FROM stack
    JOIN known USING (image_id)
    GROUP BY stack.chain_id
),

largest AS (
    SELECT
        node.*,
        layers.content_bytes,
        chain_repositories.repositories[1] AS repository
    FROM chain_repositories
    JOIN node USING (chain_id)
    JOIN layers USING (layer)
    WHERE
        len(chain_repositories.repositories) = 1
        AND list_contains($repositories, chain_repositories.repositories[1])
        AND layers.content_bytes > 0
    ORDER BY layers.content_bytes DESC, node.chain_id
    LIMIT $most
),

files AS (
    SELECT layer, arg_max(path, (size_bytes, path), 3) AS paths
    FROM item
    WHERE kind = 'file' AND layer IN (SELECT layer FROM largest)
    GROUP BY layer
)

SELECT
    largest.content_bytes,
    largest.repository,
    largest.images,
    largest.position,
    image.name AS image,
    largest.created_by AS step,
    coalesce(files.paths, []) AS paths
FROM largest
JOIN image ON image.image_id = largest.image_id
LEFT JOIN files USING (layer)
ORDER BY largest.content_bytes DESC, largest.chain_id;
