-- Question: Which sets of images reference the same units, and what do these weigh?
-- Grain:    one row per (granularity, set of images); unreferenced units are left out, and all
--           contents if a quick scan left some unread
-- Params:   none
-- Columns:  granularity    VARCHAR  compressed, unpacked or content
--           spans          STRUCT(first INTEGER, last INTEGER)[]  numbers of the images and
--                                   artifacts that reference each of these units, as in the
--                                   relation holder; sorted, and none follows another directly
--           holders        BIGINT   how many these are
--           units          BIGINT   number of these units; empty files are left out
--           unknown_units  BIGINT   of these, layers that could not be read: they weigh nothing
--           bytes          HUGEINT  weight of the others, each unit once
-- Source:   docs/measures.md, "Units and granularities", "Incomplete images"
WITH image_blobs AS (
    -- Some formats give no digest for a blob. These blobs are plain tars, and the digest of a plain
    -- tar is its diff ID.
    SELECT coalesce(blob, diff_id) AS unit, image_id, compressed_bytes
    FROM scan_image_layers
    WHERE compressed_bytes IS NOT NULL AND image_id IN (SELECT image_id FROM stack)
    UNION ALL
    -- Documents of images, and what artifacts consist of.
    SELECT blob, holder, stored_bytes
    FROM scan_held_blobs
    WHERE holder NOT IN (SELECT image_id FROM image WHERE is_cache)
),

-- Unpacked copies: containerd keeps one per namespace and snapshotter, and some drivers keep in
-- each the files of all layers below it too.
copies AS (
    SELECT
        source,
        path,
        subject AS chain_id,
        dense_rank() OVER (PARTITION BY source, subject ORDER BY coalesce(scope, '')) AS copy,
        CASE WHEN form = 'full-tree' THEN file_bytes END AS full_bytes
    FROM scan_disk
    WHERE kind = 'layer' AND form IN ('tree', 'full-tree') AND subject IS NOT NULL
),

copy_images AS (
    SELECT DISTINCT copies.chain_id, copies.copy, scan_holds.name AS image_id
    FROM copies
    JOIN scan_holds USING (source, path)
    WHERE scan_holds.kind = 'image'
),

full_trees AS (
    SELECT chain_id, copy, max(full_bytes) AS full_bytes FROM copies GROUP BY chain_id, copy
),

-- An image of which no copy is known, as it is not unpacked, needs the first one.
placed AS (
    SELECT stack.chain_id, coalesce(copy_images.copy, 1) AS copy, stack.image_id
    FROM stack
    LEFT JOIN copy_images USING (chain_id, image_id)
),

places AS (
    SELECT 'compressed' AS granularity, unit, 0 AS copy, image_id FROM image_blobs
    UNION ALL
    SELECT 'unpacked', chain_id, copy, image_id FROM placed
),

numbered AS (
    SELECT DISTINCT places.granularity, places.unit, places.copy, holder.number
    FROM places
    JOIN holder ON holder.holder = places.image_id
    WHERE places.unit IS NOT NULL
),

islands AS (
    SELECT
        *,
        number - row_number() OVER (PARTITION BY granularity, unit, copy ORDER BY number) AS island
    FROM numbered
),

spans AS (
    SELECT granularity, unit, copy, { 'first': min(number), 'last': max(number) } AS span
    FROM islands
    GROUP BY granularity, unit, copy, island
),

weights AS (
    SELECT
        'compressed' AS granularity, unit, 0 AS copy, max(compressed_bytes)::HUGEINT AS weight
    FROM image_blobs
    GROUP BY unit
    UNION ALL
    SELECT
        'unpacked',
        copied.chain_id,
        copied.copy,
        coalesce(any_value(full_trees.full_bytes), any_value(layers.content_bytes))
    FROM (SELECT DISTINCT chain_id, copy FROM placed) AS copied
    JOIN node USING (chain_id)
    LEFT JOIN layers ON layers.layer = node.layer
    LEFT JOIN full_trees
        ON full_trees.chain_id = copied.chain_id AND full_trees.copy = copied.copy
    GROUP BY copied.chain_id, copied.copy
),

held AS (
    SELECT granularity, unit, copy, list_sort(list(span)) AS spans
    FROM spans
    GROUP BY granularity, unit, copy
),

-- Without the contents of one layer, nothing is known of what it shares with others.
class_spans AS (
    SELECT class, list_sort(list({ 'first': first, 'last': last })) AS spans
    FROM class_span
    WHERE NOT EXISTS (SELECT 1 FROM node WHERE is_listed(node.layer))
    GROUP BY class
),

units AS (
    SELECT held.granularity, held.spans, 1 AS units, weights.weight
    FROM held
    JOIN weights USING (granularity, unit, copy)
    UNION ALL
    SELECT 'content', class_spans.spans, content_class.contents, content_class.bytes
    FROM class_spans
    JOIN content_class USING (class)
)

SELECT
    granularity,
    spans,
    list_sum(
        list_transform(spans, lambda span: span['last'] - span['first'] + 1)
    )::BIGINT AS holders,
    sum(units)::BIGINT AS units,
    count(*) FILTER (WHERE weight IS NULL) AS unknown_units,
    coalesce(sum(weight), 0) AS bytes
FROM units
GROUP BY granularity, spans
ORDER BY granularity, spans;
