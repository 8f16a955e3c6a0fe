-- Question: How many bytes does each group of images use, so that the rows add up to the whole
--           store?
-- Grain:    one row per group, one for units of several groups, one for unreferenced bytes
-- Params:   $by           VARCHAR    image, repository, namespace, tag-series, base or group
--           $globs        VARCHAR[]  for group: a name is in the first of these that it matches
--           $granularity  VARCHAR    compressed, unpacked or content; used only to order the rows
-- Columns:  kind          VARCHAR  group, between (several groups hold it) or unreferenced
--           name          VARCHAR  name of the group
--           images        BIGINT   images with a name in the group; for the row between groups,
--                                  images with names in several groups
--           referenced_compressed    BIGINT   units of these images; does not add up; null for
--                                             unreferenced bytes
--           exclusive_compressed     BIGINT   units of no other group; adds up; null if unknown
--           shared_compressed        BIGINT   referenced - exclusive; does not add up; null for
--                                             unreferenced bytes
--           attributed_compressed    BIGINT   shares of its images; adds up; null if unknown
--           referenced_unpacked      BIGINT   units of these images; does not add up; null for
--                                             unreferenced bytes
--           exclusive_unpacked       BIGINT   units of no other group; adds up; null if unknown
--           shared_unpacked          BIGINT   referenced - exclusive; does not add up; null for
--                                             unreferenced bytes
--           attributed_unpacked      BIGINT   shares of its images; adds up; null if unknown
--           referenced_content       BIGINT   units of these images; does not add up; null for
--                                             unreferenced bytes
--           exclusive_content        BIGINT   units of no other group; adds up; null if unknown
--           shared_content           BIGINT   referenced - exclusive; does not add up; null for
--                                             unreferenced bytes
--           attributed_content       BIGINT   shares of its images; adds up; null if unknown
--           dead_bytes               BIGINT   dead files in layers of no other group; adds up; null
--                                             for unreferenced bytes
-- Source:   docs/measures.md, "Attributed bytes", "Groups"; docs/usage.md, "dedupe usage"
--
-- A group is attributed the shares of the images whose names are all in the group. Of the row for
-- unreferenced bytes only exclusive and attributed are known; other columns are null, and so are
-- these if nothing is known.
WITH known AS (
    SELECT
        image.*,
        unnest(
            CASE
                WHEN $by IN ('image', 'base') OR len(image.names) = 0 THEN [NULL]
                ELSE image.names
            END
        ) AS name
    FROM image
    WHERE NOT image.is_cache
),

named AS (
    SELECT
        *,
        list_filter($globs::VARCHAR[], lambda pattern: name GLOB pattern) AS own_groups
    FROM known
),

labels AS (
    SELECT image_id, coalesce(names[1], digest, image_id) AS label FROM image
),

image_groups AS (
    SELECT DISTINCT
        named.image_id,
        CASE
            WHEN $by = 'image' THEN named.image_id
            WHEN $by = 'base' THEN coalesce(base.base_chain, named.top_chain, named.image_id)
            WHEN named.name IS NULL THEN '(no name)'
            WHEN $by = 'repository' THEN coalesce(nullif(repository_of(named.name), ''), '(empty)')
            WHEN $by = 'namespace' THEN coalesce(nullif(namespace_of(named.name), ''), '(empty)')
            WHEN $by = 'tag-series' THEN coalesce(nullif(tag_series_of(named.name), ''), '(empty)')
            WHEN $by = 'group' THEN coalesce(named.own_groups[1], '(other)')
            ELSE error('no grouping ' || $by)
        END AS key,
        CASE
            WHEN $by = 'base' THEN coalesce(base.base_images[1], named.image_id)
            ELSE named.image_id
        END AS label_image
    FROM named
    JOIN base USING (image_id)
),

groups AS (
    SELECT
        image_groups.key,
        CASE WHEN $by IN ('image', 'base') THEN min(labels.label) ELSE image_groups.key END AS name,
        count(DISTINCT image_groups.image_id) AS images
    FROM image_groups
    JOIN labels ON labels.image_id = image_groups.label_image
    GROUP BY image_groups.key
),

-- The group of an image, or '' if its names are in several groups.
image_homes AS (
    SELECT image_id, CASE WHEN count(DISTINCT key) = 1 THEN any_value(key) ELSE '' END AS key
    FROM image_groups
    GROUP BY image_id
),

numbered AS (
    SELECT *, row_number() OVER (ORDER BY granularity, images) AS class FROM unit_class
),

class_groups AS (
    SELECT
        spread.granularity,
        any_value(spread.bytes) AS bytes,
        list(DISTINCT image_groups.key) AS keys
    FROM (SELECT class, granularity, bytes, unnest(images) AS image_id FROM numbered) AS spread
    JOIN image_groups USING (image_id)
    GROUP BY spread.class, spread.granularity
),

layer_keys AS (
    SELECT stack.layer, list(DISTINCT image_groups.key) AS keys
    FROM stack
    JOIN image_groups USING (image_id)
    GROUP BY stack.layer
),

-- One row per figure: its group ('' for units of several groups), its name with the granularity,
-- bytes.
figures AS (
    SELECT unnest(keys) AS key, 'referenced_' || granularity AS figure, bytes FROM class_groups
    UNION ALL
    SELECT '', 'referenced_' || granularity, bytes FROM class_groups WHERE len(keys) > 1
    UNION ALL
    SELECT
        CASE WHEN len(keys) = 1 THEN keys[1] ELSE '' END,
        'exclusive_' || granularity,
        bytes
    FROM class_groups
    UNION ALL
    SELECT image_homes.key, 'attributed_' || share.granularity, share.attributed_bytes::HUGEINT
    FROM share
    JOIN image_homes USING (image_id)
    UNION ALL
    SELECT
        CASE WHEN len(layer_keys.keys) = 1 THEN layer_keys.keys[1] ELSE '' END,
        'dead',
        dead.size_bytes::HUGEINT
    FROM dead
    JOIN layer_keys USING (layer)
),

rows AS (
    SELECT 'group' AS kind, key, name, images FROM groups
    UNION ALL
    SELECT
        'between',
        '',
        '(between groups)',
        (SELECT count(*) FROM image_homes WHERE key = '')
),

summed AS (
    SELECT
        rows.kind,
        rows.name,
        rows.key,
        rows.images,
        coalesce(
            sum(bytes) FILTER (WHERE figure = 'referenced_compressed'), 0
        ) AS referenced_compressed,
        coalesce(
            sum(bytes) FILTER (WHERE figure = 'referenced_unpacked'), 0
        ) AS referenced_unpacked,
        coalesce(
            sum(bytes) FILTER (WHERE figure = 'referenced_content'), 0
        ) AS referenced_content,
        coalesce(
            sum(bytes) FILTER (WHERE figure = 'exclusive_compressed'), 0
        ) AS exclusive_compressed,
        coalesce(
            sum(bytes) FILTER (WHERE figure = 'exclusive_unpacked'), 0
        ) AS exclusive_unpacked,
        coalesce(
            sum(bytes) FILTER (WHERE figure = 'exclusive_content'), 0
        ) AS exclusive_content,
        coalesce(
            sum(bytes) FILTER (WHERE figure = 'attributed_compressed'), 0
        ) AS attributed_compressed,
        coalesce(
            sum(bytes) FILTER (WHERE figure = 'attributed_unpacked'), 0
        ) AS attributed_unpacked,
        coalesce(
            sum(bytes) FILTER (WHERE figure = 'attributed_content'), 0
        ) AS attributed_content,
        coalesce(
            sum(bytes) FILTER (WHERE figure = 'dead'), 0
        ) AS dead_bytes
    FROM rows
    LEFT JOIN figures USING (key)
    GROUP BY rows.kind, rows.name, rows.key, rows.images
),

-- Some sources keep blobs, some keep layers unpacked, containerd keeps both. Orphans are not read,
-- so only the granularity that they are kept in is known.
unreferenced AS (
    SELECT
        sum(orphan_blob_bytes) AS compressed_bytes,
        sum(orphan_unpacked_bytes) AS unpacked_bytes
    FROM scan_sources
),

listed AS (
    SELECT
        kind,
        name,
        images,
        referenced_compressed,
        exclusive_compressed,
        -- Everything in the row between groups is shared.
        CASE
            WHEN kind = 'group' THEN referenced_compressed - exclusive_compressed
            ELSE referenced_compressed
        END AS shared_compressed,
        attributed_compressed,
        referenced_unpacked,
        exclusive_unpacked,
        CASE
            WHEN kind = 'group' THEN referenced_unpacked - exclusive_unpacked
            ELSE referenced_unpacked
        END AS shared_unpacked,
        attributed_unpacked,
        referenced_content,
        exclusive_content,
        CASE
            WHEN kind = 'group' THEN referenced_content - exclusive_content
            ELSE referenced_content
        END AS shared_content,
        attributed_content,
        dead_bytes,
        key
    FROM summed
    UNION ALL
    SELECT
        'unreferenced' AS kind,
        '(unreferenced)' AS name,
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
        '' AS key
    FROM unreferenced
)

SELECT
    kind,
    name,
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
