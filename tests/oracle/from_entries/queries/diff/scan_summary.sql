-- Question: How much did the stores hold at two scans, and how much was added and freed between
--           them?
-- Grain:    one row
-- Params:   $old  VARCHAR  a scan's ID
--           $new  VARCHAR  a scan's ID
-- Columns:  old_scan                   VARCHAR  its ID
--           new_scan                   VARCHAR  its ID
--           old_stored_bytes           BIGINT   on disk in all sources, copies counted
--           new_stored_bytes           BIGINT   the same at the new scan
--           old_images                 BIGINT   images, each once
--           new_images                 BIGINT   the same at the new scan
--           old_incomplete_images      BIGINT   of these, images with a layer that could not be
--                                               read; unless both are 0, figures of unpacked bytes
--                                               are of what was read
--           new_incomplete_images      BIGINT   the same at the new scan
--           images_appeared            BIGINT   images that only the new scan has
--           images_gone                BIGINT   images that only the old scan has
--           names_moved                BIGINT   names that moved to another image
--           old_unpacked_bytes         BIGINT   content of distinct chain nodes
--           new_unpacked_bytes         BIGINT   old + appeared - freed
--           unpacked_appeared          BIGINT   chain nodes that only the new scan has
--           unpacked_appeared_bytes    BIGINT   content of these chain nodes
--           unpacked_freed             BIGINT   chain nodes that only the old scan has
--           unpacked_freed_bytes       BIGINT   content of these chain nodes
--           old_compressed_bytes       BIGINT   size of distinct blobs that images reference
--           new_compressed_bytes       BIGINT   old + appeared - freed
--           compressed_appeared        BIGINT   blobs that only the new scan has
--           compressed_appeared_bytes  BIGINT   size of these blobs as stored
--           compressed_freed           BIGINT   blobs that only the old scan has
--           compressed_freed_bytes     BIGINT   size of these blobs as stored
-- Source:   docs/measures.md, "Bytes of the whole scan"
WITH units AS (
    SELECT DISTINCT
        image_layers.scan,
        'unpacked' AS granularity,
        image_layers.chain_id AS unit,
        coalesce(layers.content_bytes, 0) AS weight
    FROM image_layers
    LEFT JOIN layers USING (layer)
    WHERE image_layers.scan IN ($old, $new) AND image_layers.layer IS NOT NULL
    UNION ALL
    SELECT scan, 'compressed', blob, max(compressed_bytes)
    FROM image_layers
    WHERE scan IN ($old, $new) AND blob IS NOT NULL AND compressed_bytes IS NOT NULL
    GROUP BY scan, blob
    UNION ALL
    SELECT DISTINCT scan, 'image', image_id, 0
    FROM images
    WHERE scan IN ($old, $new) AND kind = 'image'
),

held AS (
    SELECT
        granularity,
        unit,
        max(weight) AS weight,
        bool_or(scan = $old) AS was,
        bool_or(scan = $new) AS is_there
    FROM units
    GROUP BY granularity, unit
),

sums AS (
    SELECT
        granularity,
        count(*) FILTER (WHERE was) AS old_units,
        count(*) FILTER (WHERE is_there) AS new_units,
        count(*) FILTER (WHERE NOT was) AS appeared,
        count(*) FILTER (WHERE NOT is_there) AS freed,
        coalesce(sum(weight) FILTER (WHERE was), 0)::BIGINT AS old_bytes,
        coalesce(sum(weight) FILTER (WHERE is_there), 0)::BIGINT AS new_bytes,
        coalesce(sum(weight) FILTER (WHERE NOT was), 0)::BIGINT AS appeared_bytes,
        coalesce(sum(weight) FILTER (WHERE NOT is_there), 0)::BIGINT AS freed_bytes
    FROM held
    GROUP BY granularity
),

unread AS (
    SELECT DISTINCT scan, image_id
    FROM (
        SELECT scan, image_id
        FROM image_layers
        WHERE scan IN ($old, $new)
        GROUP BY scan, image_id, position
        HAVING bool_and(layer IS NULL)
    ) AS positions
),

incomplete AS (
    SELECT
        count(*) FILTER (WHERE scan = $old) AS old_images,
        count(*) FILTER (WHERE scan = $new) AS new_images
    FROM unread
),

named AS (
    SELECT DISTINCT scan, source, image_id, unnest(names) AS name
    FROM images
    WHERE scan IN ($old, $new) AND kind = 'image'
),

moved AS (
    SELECT DISTINCT old.source, old.name
    FROM named AS old
    JOIN named AS new ON new.source = old.source AND new.name = old.name
    ANTI JOIN named AS same
        ON same.scan = $new
        AND same.source = old.source
        AND same.name = old.name
        AND same.image_id = old.image_id
    WHERE old.scan = $old AND new.scan = $new
),

stored AS (
    SELECT
        coalesce(sum(stored_bytes) FILTER (WHERE scan = $old), 0)::BIGINT AS old_bytes,
        coalesce(sum(stored_bytes) FILTER (WHERE scan = $new), 0)::BIGINT AS new_bytes
    FROM sources
),

moves AS (
    SELECT count(*) AS names FROM moved
)

SELECT
    $old::VARCHAR AS old_scan,
    $new::VARCHAR AS new_scan,
    stored.old_bytes AS old_stored_bytes,
    stored.new_bytes AS new_stored_bytes,
    coalesce(found.old_units, 0) AS old_images,
    coalesce(found.new_units, 0) AS new_images,
    incomplete.old_images AS old_incomplete_images,
    incomplete.new_images AS new_incomplete_images,
    coalesce(found.appeared, 0) AS images_appeared,
    coalesce(found.freed, 0) AS images_gone,
    moves.names AS names_moved,
    coalesce(unpacked.old_bytes, 0) AS old_unpacked_bytes,
    coalesce(unpacked.new_bytes, 0) AS new_unpacked_bytes,
    coalesce(unpacked.appeared, 0) AS unpacked_appeared,
    coalesce(unpacked.appeared_bytes, 0) AS unpacked_appeared_bytes,
    coalesce(unpacked.freed, 0) AS unpacked_freed,
    coalesce(unpacked.freed_bytes, 0) AS unpacked_freed_bytes,
    coalesce(compressed.old_bytes, 0) AS old_compressed_bytes,
    coalesce(compressed.new_bytes, 0) AS new_compressed_bytes,
    coalesce(compressed.appeared, 0) AS compressed_appeared,
    coalesce(compressed.appeared_bytes, 0) AS compressed_appeared_bytes,
    coalesce(compressed.freed, 0) AS compressed_freed,
    coalesce(compressed.freed_bytes, 0) AS compressed_freed_bytes
FROM stored
CROSS JOIN moves
CROSS JOIN incomplete
LEFT JOIN sums AS found ON found.granularity = 'image'
LEFT JOIN sums AS unpacked ON unpacked.granularity = 'unpacked'
LEFT JOIN sums AS compressed ON compressed.granularity = 'compressed';
