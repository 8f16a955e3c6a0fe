-- Question: How many bytes does each group of images use, so that the rows add up to the whole
--           store?
-- Grain:    one row per group, one for units of several groups, one for unreferenced bytes, and one
--           for other bytes of blobs and archives, if there are any
-- Params:   $by           VARCHAR    image, repository, namespace, tag-series, base or group
--           $globs        VARCHAR[]  for group: a name is in the first of these that it matches
--           $granularity  VARCHAR    compressed, unpacked or content; used only to order the rows
-- Columns:  kind          VARCHAR  group, between (several groups hold it), unreferenced or rest
--           name          VARCHAR  name of the group
--           images        BIGINT   images with a name in the group; for the row between groups,
--                                  images with names in several groups
--           artifacts     BIGINT   the same of artifacts, attestations and build caches; those
--                                  that are deleted with an image count as part of it
--           incomplete_images  BIGINT  of these, images with a layer that could not be read; unless
--                                      it is 0, figures of the row are lower bounds
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
--                                             unreferenced bytes, or if contents are unread
--           exclusive_content        BIGINT   units of no other group; adds up; null if unknown
--           shared_content           BIGINT   referenced - exclusive; does not add up; null for
--                                             unreferenced bytes, or if contents are unread
--           attributed_content       BIGINT   shares of its images; adds up; null if unknown
--           dead_bytes               BIGINT   dead files in layers of no other group; adds up; null
--                                             for unreferenced bytes
-- Source:   docs/measures.md, "Attributed bytes", "Groups"; docs/usage.md, "dedupe usage"
--
-- A group is attributed the shares of the images whose names are all in the group. Of the row for
-- unreferenced bytes only exclusive and attributed are known; other columns are null, and so are
-- these if nothing is known. A figure of incomplete images is null instead of 0. Artifacts have
-- figures of their blobs only. One without a name is in the group of the image that it is about.
-- Figures of contents are null if a quick scan left some contents unread.
WITH members AS (
    SELECT image_id, name, names, top_chain, complete, TRUE AS is_image
    FROM image
    WHERE NOT is_cache
    UNION ALL
    SELECT artifact_id, name, if(len(names) > 0, names, about), NULL, TRUE, FALSE
    FROM artifact
    -- One that is deleted with an image holds nothing itself.
    WHERE artifact_id IN (SELECT holder FROM scan_held_blobs)
),

known AS (
    SELECT
        image_id,
        top_chain,
        unnest(
            CASE WHEN $by IN ('image', 'base') OR len(names) = 0 THEN [NULL] ELSE names END
        ) AS name
    FROM members
),

named AS (
    SELECT
        *,
        list_filter($globs::VARCHAR[], lambda pattern: name GLOB pattern) AS own_groups
    FROM known
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
    LEFT JOIN base USING (image_id)
),

groups AS (
    SELECT
        image_groups.key,
        CASE WHEN $by IN ('image', 'base') THEN min(label.name) ELSE image_groups.key END AS name,
        count(DISTINCT image_groups.image_id) FILTER (WHERE member.is_image) AS images,
        count(DISTINCT image_groups.image_id) FILTER (WHERE NOT member.is_image) AS artifacts,
        count(DISTINCT image_groups.image_id) FILTER (
            WHERE NOT member.complete
        ) AS incomplete_images
    FROM image_groups
    JOIN members AS label ON label.image_id = image_groups.label_image
    JOIN members AS member ON member.image_id = image_groups.image_id
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

-- Some sources keep blobs, some keep layers unpacked, containerd keeps both. Orphans are not read,
-- so only the granularity that they are kept in is known.
orphans AS (
    SELECT 'compressed' AS granularity, orphan_blob_bytes::HUGEINT AS bytes FROM scan_sources
    UNION ALL
    SELECT 'unpacked', orphan_unpacked_bytes FROM scan_sources
),

-- One row per figure: its group ('' for units of several groups), its name with the granularity,
-- bytes.
figures AS (
    SELECT 'group' AS kind, unnest(keys) AS key, 'referenced_' || granularity AS figure, bytes
    FROM class_groups
    UNION ALL
    SELECT 'group', unnest(keys), 'shared_' || granularity, bytes
    FROM class_groups
    WHERE len(keys) > 1
    UNION ALL
    SELECT 'group', keys[1], 'exclusive_' || granularity, bytes
    FROM class_groups
    WHERE len(keys) = 1
    UNION ALL
    SELECT 'between', '', unnest(['referenced_', 'shared_', 'exclusive_']) || granularity, bytes
    FROM class_groups
    WHERE len(keys) > 1
    UNION ALL
    SELECT
        CASE WHEN image_homes.key = '' THEN 'between' ELSE 'group' END,
        image_homes.key,
        'attributed_' || share.granularity,
        share.attributed_bytes::HUGEINT
    FROM share
    JOIN image_homes USING (image_id)
    UNION ALL
    SELECT
        CASE WHEN len(layer_keys.keys) = 1 THEN 'group' ELSE 'between' END,
        CASE WHEN len(layer_keys.keys) = 1 THEN layer_keys.keys[1] ELSE '' END,
        'dead',
        dead.size_bytes::HUGEINT
    FROM dead
    JOIN layer_keys USING (layer)
    UNION ALL
    SELECT 'unreferenced', '', unnest(['exclusive_', 'attributed_']) || granularity, bytes
    FROM orphans
    UNION ALL
    SELECT 'rest', '', unnest(['exclusive_compressed', 'attributed_compressed']), bytes
    FROM rest
),

rows AS (
    SELECT 'group' AS kind, key, name, images, artifacts, incomplete_images FROM groups
    UNION ALL
    SELECT
        'between',
        '',
        '(between groups)',
        count(*) FILTER (WHERE members.is_image),
        count(*) FILTER (WHERE NOT members.is_image),
        count(*) FILTER (WHERE NOT members.complete)
    FROM image_homes
    JOIN members USING (image_id)
    WHERE image_homes.key = ''
    UNION ALL
    SELECT 'unreferenced', '', '(unreferenced)', 0, 0, 0
    UNION ALL
    SELECT 'rest', '', '(rest)', 0, 0, 0
    FROM rest
    WHERE bytes > 0
)

SELECT
    kind,
    name,
    images,
    artifacts,
    incomplete_images,
    usage_figure(kind, unread, bytes, figure, 'referenced_compressed') AS referenced_compressed,
    usage_figure(kind, unread, bytes, figure, 'exclusive_compressed') AS exclusive_compressed,
    usage_figure(kind, unread, bytes, figure, 'shared_compressed') AS shared_compressed,
    usage_figure(kind, unread, bytes, figure, 'attributed_compressed') AS attributed_compressed,
    usage_figure(kind, no_layers, bytes, figure, 'referenced_unpacked') AS referenced_unpacked,
    usage_figure(kind, no_layers, bytes, figure, 'exclusive_unpacked') AS exclusive_unpacked,
    usage_figure(kind, no_layers, bytes, figure, 'shared_unpacked') AS shared_unpacked,
    usage_figure(kind, no_layers, bytes, figure, 'attributed_unpacked') AS attributed_unpacked,
    usage_figure(kind, uncounted, bytes, figure, 'referenced_content') AS referenced_content,
    usage_figure(kind, uncounted, bytes, figure, 'exclusive_content') AS exclusive_content,
    usage_figure(kind, uncounted, bytes, figure, 'shared_content') AS shared_content,
    usage_figure(kind, uncounted, bytes, figure, 'attributed_content') AS attributed_content,
    usage_figure(kind, no_layers, bytes, figure, 'dead') AS dead_bytes
FROM (
    SELECT
        *,
        incomplete_images > 0 AS unread,
        incomplete_images > 0 OR (kind = 'group' AND images = 0) AS no_layers,
        incomplete_images > 0
        OR (kind = 'group' AND images = 0)
        OR EXISTS (SELECT 1 FROM node WHERE is_listed(node.layer)) AS uncounted
    FROM rows
) AS rows
LEFT JOIN figures USING (kind, key)
GROUP BY kind, name, images, artifacts, incomplete_images, unread, no_layers, uncounted, key
ORDER BY
    kind = 'rest',
    kind = 'unreferenced',
    kind = 'between',
    CASE $granularity
        WHEN 'compressed' THEN attributed_compressed
        WHEN 'content' THEN attributed_content
        ELSE attributed_unpacked
    END DESC NULLS LAST,
    name,
    key;
