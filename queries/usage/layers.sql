-- Question: How many bytes does each layer use, so that the rows add up to the whole store?
-- Grain:    one row per layer that some image references, one for contents that several layers
--           hold, one for unreferenced bytes; one for documents and artifacts, and one for other
--           bytes of blobs and archives, if there are any
-- Params:   $granularity  VARCHAR  compressed, unpacked or content; used only to order the rows
-- Columns:  kind          VARCHAR  group (a layer), documents, between, unreferenced or rest
--           name          VARCHAR  diff ID as the config claims it
--           created_by    VARCHAR  a build step that made it; null if no config gives one
--           images        BIGINT   images that hold it
--           unread        BOOLEAN  it could not be read, so that only figures of its blob are known
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
--                                             unreferenced bytes, or if contents are unread
--           exclusive_content        BIGINT   units of no other layer; adds up; null if unknown
--           shared_content           BIGINT   referenced - exclusive; does not add up; null for
--                                             unreferenced bytes, or if contents are unread
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
        count(DISTINCT image_id) AS images,
        bool_and(layer IS NULL) AS unread
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

layer_blobs AS (
    SELECT coalesce(scan_image_layers.blob, scan_image_layers.diff_id) AS blob
    FROM scan_image_layers
    JOIN stack USING (image_id, position)
    WHERE
        scan_image_layers.compressed_bytes IS NOT NULL
        AND coalesce(scan_image_layers.blob, scan_image_layers.diff_id) IS NOT NULL
),

chains AS (
    SELECT
        [any_value(coalesce(stack.layer, stack.diff_id, stack.chain_id))] AS keys,
        any_value(coalesce(layers.content_bytes, 0))::HUGEINT AS bytes
    FROM stack
    LEFT JOIN layers USING (layer)
    GROUP BY stack.chain_id
),

-- Classes of contents in the same layers, with any number of copies in each, are one set. Sets are
-- compared by a sum of random numbers, as classes are (content_place).
salts AS MATERIALIZED (
    SELECT uuid()::VARCHAR AS salt
),

layer_codes AS (
    SELECT number, md5_number(concat_ws(' ', number, (SELECT salt FROM salts))) AS code
    FROM numbered_layer
),

class_codes AS (
    SELECT class_layer.class, bit_xor(layer_codes.code) AS code
    FROM class_layer
    JOIN layer_codes USING (number)
    -- without the contents of one layer, nothing is known of what it shares with others
    WHERE NOT EXISTS (SELECT 1 FROM node WHERE is_listed(node.layer))
    GROUP BY class_layer.class
),

sets AS (
    SELECT
        min(content_class.class) AS class,
        any_value(content_class.layers) AS holders,
        sum(content_class.bytes)::HUGEINT AS bytes
    FROM class_codes
    JOIN content_class USING (class)
    GROUP BY class_codes.code
),

units AS (
    SELECT 'compressed' AS granularity, keys, bytes FROM blobs
    UNION ALL
    SELECT 'unpacked', keys, bytes FROM chains
),

unit_sums AS (
    SELECT granularity, len(keys) AS holders, bytes FROM units
    UNION ALL
    SELECT 'content', holders, bytes FROM sets
),

holdings AS (
    SELECT granularity, bytes, len(keys) AS holders, unnest(keys) AS key FROM units
    UNION ALL
    SELECT 'content', sets.bytes, sets.holders, numbered_layer.layer
    FROM sets
    JOIN class_layer USING (class)
    JOIN numbered_layer USING (number)
),

shares AS (
    SELECT
        granularity,
        key,
        sum(bytes) AS referenced,
        sum(bytes) FILTER (WHERE holders = 1) AS exclusive,
        sum(bytes) FILTER (WHERE holders > 1) AS shared,
        whole_share(bytes, holders) AS whole,
        share_rest(bytes, holders) AS rest
    FROM holdings
    GROUP BY granularity, key
),

granularity_sums AS (
    SELECT granularity, sum(bytes) AS total FROM unit_sums GROUP BY granularity
),

-- Some sources keep blobs, some keep layers unpacked, containerd keeps both. Orphans are not read,
-- so only the granularity that they are kept in is known.
orphans AS (
    SELECT 'compressed' AS granularity, orphan_blob_bytes::HUGEINT AS bytes FROM scan_sources
    UNION ALL
    SELECT 'unpacked', orphan_unpacked_bytes FROM scan_sources
),

-- Manifests and configs of images, and what artifacts consist of.
documents AS (
    SELECT max(stored_bytes) AS bytes
    FROM scan_held_blobs
    WHERE
        holder NOT IN (SELECT image_id FROM image WHERE is_cache)
        AND blob NOT IN (SELECT blob FROM layer_blobs)
    GROUP BY blob
),

-- One row per figure: its layer ('' for units of several layers), its name with the granularity,
-- bytes.
figures AS (
    SELECT
        'group' AS kind,
        key,
        unnest(['referenced_', 'exclusive_', 'shared_']) || granularity AS figure,
        unnest([referenced, exclusive, shared]) AS bytes
    FROM shares
    UNION ALL
    SELECT
        'between', '', unnest(['referenced_', 'shared_', 'exclusive_']) || granularity, sum(bytes)
    FROM unit_sums
    WHERE holders > 1
    GROUP BY granularity
    UNION ALL
    SELECT
        'group',
        key,
        'attributed_' || granularity,
        rounded_share(whole, rest, total, granularity, key)
    FROM shares
    JOIN granularity_sums USING (granularity)
    UNION ALL
    SELECT
        'documents',
        '',
        unnest(['referenced_', 'exclusive_', 'attributed_']) || 'compressed',
        sum(bytes)::HUGEINT
    FROM documents
    UNION ALL
    SELECT 'rest', '', unnest(['exclusive_compressed', 'attributed_compressed']), bytes
    FROM rest
    UNION ALL
    SELECT 'group', layer, 'dead', size_bytes::HUGEINT FROM dead
    UNION ALL
    SELECT 'unreferenced', '', unnest(['exclusive_', 'attributed_']) || granularity, bytes
    FROM orphans
),

rows AS (
    SELECT 'group' AS kind, key, name, created_by, images, unread FROM groups
    UNION ALL
    SELECT 'between', '', '(between layers)', NULL, 0, FALSE
    UNION ALL
    SELECT 'unreferenced', '', '(unreferenced)', NULL, 0, FALSE
    UNION ALL
    SELECT 'documents', '', '(documents and artifacts)', NULL, 0, FALSE
    FROM documents
    HAVING sum(bytes) > 0
    UNION ALL
    SELECT 'rest', '', '(rest)', NULL, 0, FALSE
    FROM rest
    WHERE bytes > 0
),

counted AS (
    SELECT *, unread OR EXISTS (SELECT 1 FROM node WHERE is_listed(node.layer)) AS uncounted
    FROM rows
)

SELECT
    kind,
    name,
    created_by,
    images,
    unread,
    usage_figure(kind, unread, bytes, figure, 'referenced_compressed') AS referenced_compressed,
    usage_figure(kind, unread, bytes, figure, 'exclusive_compressed') AS exclusive_compressed,
    usage_figure(kind, unread, bytes, figure, 'shared_compressed') AS shared_compressed,
    usage_figure(kind, unread, bytes, figure, 'attributed_compressed') AS attributed_compressed,
    usage_figure(kind, unread, bytes, figure, 'referenced_unpacked') AS referenced_unpacked,
    usage_figure(kind, unread, bytes, figure, 'exclusive_unpacked') AS exclusive_unpacked,
    usage_figure(kind, unread, bytes, figure, 'shared_unpacked') AS shared_unpacked,
    usage_figure(kind, unread, bytes, figure, 'attributed_unpacked') AS attributed_unpacked,
    usage_figure(kind, uncounted, bytes, figure, 'referenced_content') AS referenced_content,
    usage_figure(kind, uncounted, bytes, figure, 'exclusive_content') AS exclusive_content,
    usage_figure(kind, uncounted, bytes, figure, 'shared_content') AS shared_content,
    usage_figure(kind, uncounted, bytes, figure, 'attributed_content') AS attributed_content,
    usage_figure(kind, unread, bytes, figure, 'dead') AS dead_bytes
FROM counted
LEFT JOIN figures USING (kind, key)
GROUP BY kind, name, created_by, images, unread, uncounted, key
ORDER BY
    kind = 'rest',
    kind = 'unreferenced',
    kind = 'between',
    kind = 'documents',
    CASE $granularity
        WHEN 'compressed' THEN attributed_compressed
        WHEN 'content' THEN attributed_content
        ELSE attributed_unpacked
    END DESC NULLS LAST,
    name,
    key;
