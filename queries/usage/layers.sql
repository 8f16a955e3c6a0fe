-- Question: How many bytes does each layer use, so that the rows add up to the whole store?
-- Grain:    one row per layer that some image references, one for contents that several layers
--           hold, one for unreferenced bytes
-- Params:   $granularity  VARCHAR  compressed, unpacked or content; used only to order the rows
-- Columns:  kind          VARCHAR  group (a layer), between or unreferenced
--           name          VARCHAR  diff ID as the config claims it
--           created_by    VARCHAR  a build step that made it; null if no config gives one
--           images        BIGINT   images that hold it
--           referenced_compressed    BIGINT   blobs, chain nodes, distinct contents; null for
--                                             unreferenced bytes
--           exclusive_compressed     BIGINT   units of no other layer; adds up; null if unknown
--           shared_compressed        BIGINT   referenced - exclusive; does not add up; null for
--                                             unreferenced bytes
--           attributed_compressed    BIGINT   its share of them; adds up; null if unknown
--           referenced_unpacked      BIGINT   blobs, chain nodes, distinct contents; null for
--                                             unreferenced bytes
--           exclusive_unpacked       BIGINT   units of no other layer; adds up; null if unknown
--           shared_unpacked          BIGINT   referenced - exclusive; does not add up; null for
--                                             unreferenced bytes
--           attributed_unpacked      BIGINT   its share of them; adds up; null if unknown
--           referenced_content       BIGINT   blobs, chain nodes, distinct contents; null for
--                                             unreferenced bytes
--           exclusive_content        BIGINT   units of no other layer; adds up; null if unknown
--           shared_content           BIGINT   referenced - exclusive; does not add up; null for
--                                             unreferenced bytes
--           attributed_content       BIGINT   its share of them; adds up; null if unknown
--           dead_bytes               BIGINT   its dead files; adds up; null for unreferenced bytes
-- Source:   docs/measures.md, "Attributed bytes", "Groups"; docs/usage.md, "dedupe usage"
--
-- Contents are divided evenly among the layers that hold them, in whole bytes by largest remainder.
-- Of the row for unreferenced bytes only exclusive and attributed are known; other columns are
-- null, and so are these if nothing is known.
WITH placed AS (
    SELECT
        coalesce(layer, diff_id, chain_id) AS key,
        layer,
        chain_id,
        image_id,
        diff_id,
        created_by
    FROM stack
),

groups AS (
    SELECT
        key,
        min(diff_id) AS name,
        min(created_by) AS created_by,
        count(DISTINCT image_id) AS images
    FROM placed
    GROUP BY key
),

-- One blob can belong to two layers if its content is not what a config claims.
blobs AS (
    SELECT
        list_sort(list(DISTINCT placed.key)) AS keys,
        max(scan_image_layers.compressed_bytes)::HUGEINT AS bytes
    FROM scan_image_layers
    JOIN stack USING (image_id, position)
    JOIN placed ON placed.chain_id = stack.chain_id AND placed.image_id = stack.image_id
    WHERE
        scan_image_layers.compressed_bytes IS NOT NULL
        AND coalesce(scan_image_layers.blob, scan_image_layers.diff_id) IS NOT NULL
    GROUP BY coalesce(scan_image_layers.blob, scan_image_layers.diff_id)
),

chains AS (
    SELECT
        [any_value(coalesce(stack.layer, stack.diff_id, stack.chain_id))] AS keys,
        any_value(coalesce(layers.content_bytes, 0))::HUGEINT AS bytes
    FROM stack
    LEFT JOIN layers USING (layer)
    GROUP BY stack.chain_id
),

contents AS (
    SELECT any_value(size_bytes) AS size_bytes, list_sort(list(DISTINCT layer)) AS keys
    FROM item
    WHERE kind = 'file'
    GROUP BY content_hash
),

units AS (
    SELECT 'compressed' AS granularity, keys, bytes FROM blobs
    UNION ALL
    SELECT 'unpacked', keys, bytes FROM chains
    UNION ALL
    SELECT 'content', keys, sum(size_bytes) FROM contents GROUP BY keys
),

holdings AS (
    SELECT granularity, bytes, len(keys) AS holders, unnest(keys) AS key FROM units
),

shares AS (
    SELECT
        granularity,
        key,
        sum(bytes) AS referenced,
        sum(CASE WHEN holders = 1 THEN bytes ELSE 0 END) AS exclusive,
        sum(bytes // holders)
        + sum((bytes % holders) * (share_scale() // holders)) // share_scale() AS floor_bytes,
        sum((bytes % holders) * (share_scale() // holders)) % share_scale() AS remainder
    FROM holdings
    GROUP BY granularity, key
),

sums AS (
    SELECT
        granularity,
        sum(bytes) AS bytes,
        coalesce(sum(bytes) FILTER (WHERE len(keys) > 1), 0) AS between_bytes
    FROM units
    GROUP BY granularity
),

ranked AS (
    SELECT
        shares.*,
        sums.bytes - sum(floor_bytes) OVER (PARTITION BY granularity) AS left_over,
        row_number() OVER (PARTITION BY granularity ORDER BY remainder DESC, key) AS place
    FROM shares
    JOIN sums USING (granularity)
),

attributed AS (
    SELECT
        granularity,
        key,
        referenced,
        exclusive,
        floor_bytes + CASE WHEN place <= left_over THEN 1 ELSE 0 END AS attributed
    FROM ranked
    UNION ALL
    SELECT granularity, NULL, between_bytes AS referenced, between_bytes AS exclusive, 0 FROM sums
),

wide AS (
    SELECT
        key,
        coalesce(
            max(referenced) FILTER (WHERE granularity = 'compressed'), 0
        ) AS referenced_compressed,
        coalesce(
            max(exclusive) FILTER (WHERE granularity = 'compressed'), 0
        ) AS exclusive_compressed,
        coalesce(
            max(attributed) FILTER (WHERE granularity = 'compressed'), 0
        ) AS attributed_compressed,
        coalesce(
            max(referenced) FILTER (WHERE granularity = 'unpacked'), 0
        ) AS referenced_unpacked,
        coalesce(
            max(exclusive) FILTER (WHERE granularity = 'unpacked'), 0
        ) AS exclusive_unpacked,
        coalesce(
            max(attributed) FILTER (WHERE granularity = 'unpacked'), 0
        ) AS attributed_unpacked,
        coalesce(
            max(referenced) FILTER (WHERE granularity = 'content'), 0
        ) AS referenced_content,
        coalesce(
            max(exclusive) FILTER (WHERE granularity = 'content'), 0
        ) AS exclusive_content,
        coalesce(
            max(attributed) FILTER (WHERE granularity = 'content'), 0
        ) AS attributed_content
    FROM attributed
    GROUP BY key
),

dead_layers AS (
    SELECT layer AS key, sum(size_bytes) AS bytes FROM dead GROUP BY layer
),

unreferenced AS (
    SELECT
        sum(orphan_blob_bytes) AS compressed_bytes,
        sum(orphan_unpacked_bytes) AS unpacked_bytes
    FROM scan_sources
),

listed AS (
    SELECT
        CASE WHEN wide.key IS NULL THEN 'between' ELSE 'group' END AS kind,
        CASE WHEN wide.key IS NULL THEN '(between layers)' ELSE groups.name END AS name,
        groups.created_by,
        coalesce(groups.images, 0) AS images,
        referenced_compressed,
        exclusive_compressed,
        CASE
            WHEN wide.key IS NULL THEN referenced_compressed
            ELSE referenced_compressed - exclusive_compressed
        END AS shared_compressed,
        attributed_compressed,
        referenced_unpacked,
        exclusive_unpacked,
        CASE
            WHEN wide.key IS NULL THEN referenced_unpacked
            ELSE referenced_unpacked - exclusive_unpacked
        END AS shared_unpacked,
        attributed_unpacked,
        referenced_content,
        exclusive_content,
        CASE
            WHEN wide.key IS NULL THEN referenced_content
            ELSE referenced_content - exclusive_content
        END AS shared_content,
        attributed_content,
        coalesce(dead_layers.bytes, 0) AS dead_bytes,
        wide.key
    FROM wide
    LEFT JOIN groups USING (key)
    LEFT JOIN dead_layers USING (key)
    UNION ALL
    SELECT
        'unreferenced' AS kind,
        '(unreferenced)' AS name,
        NULL AS created_by,
        0 AS images,
        NULL AS referenced_compressed,
        compressed_bytes AS exclusive_compressed,
        NULL AS shared_compressed,
        compressed_bytes AS attributed_compressed,
        NULL AS referenced_unpacked,
        unpacked_bytes AS exclusive_unpacked,
        NULL AS shared_unpacked,
        unpacked_bytes AS attributed_unpacked,
        NULL AS referenced_content,
        NULL AS exclusive_content,
        NULL AS shared_content,
        NULL AS attributed_content,
        NULL AS dead_bytes,
        NULL AS key
    FROM unreferenced
)

SELECT
    kind,
    name,
    created_by,
    images,
    referenced_compressed::BIGINT AS referenced_compressed,
    exclusive_compressed::BIGINT AS exclusive_compressed,
    shared_compressed::BIGINT AS shared_compressed,
    attributed_compressed::BIGINT AS attributed_compressed,
    referenced_unpacked::BIGINT AS referenced_unpacked,
    exclusive_unpacked::BIGINT AS exclusive_unpacked,
    shared_unpacked::BIGINT AS shared_unpacked,
    attributed_unpacked::BIGINT AS attributed_unpacked,
    referenced_content::BIGINT AS referenced_content,
    exclusive_content::BIGINT AS exclusive_content,
    shared_content::BIGINT AS shared_content,
    attributed_content::BIGINT AS attributed_content,
    dead_bytes::BIGINT AS dead_bytes
FROM listed
ORDER BY
    kind = 'unreferenced',
    kind = 'between',
    CASE $granularity
        WHEN 'compressed' THEN attributed_compressed
        WHEN 'content' THEN attributed_content
        ELSE attributed_unpacked
    END DESC,
    name,
    key;
