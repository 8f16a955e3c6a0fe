-- Question: How much differs between two images, and what does going to the new one have to pull?
-- Grain:    one row
-- Params:   $old  VARCHAR  image ID
--           $new  VARCHAR  image ID
-- Columns:  old_name                 VARCHAR  first name, else image ID
--           new_name                 VARCHAR  first name, else image ID
--           added                    BIGINT   paths that only the new image shows
--           removed                  BIGINT   paths that only the old image shows
--           changed                  BIGINT   paths of another kind, content, link or device
--           metadata_only            BIGINT   paths of which only metadata differs
--           unchanged                BIGINT   paths that are the same
--           added_bytes              BIGINT   logical sizes of what was added
--           removed_bytes            BIGINT   of what was removed
--           changed_old_bytes        BIGINT   of what was changed, before
--           changed_new_bytes        BIGINT   of what was changed, after
--           metadata_only_bytes      BIGINT   of files that are the same but for their metadata
--           old_layers               BIGINT   layers of the old image
--           new_layers               BIGINT   layers of the new image
--           shared_layers            BIGINT   layers of the new image that the old one has
--           shared_chain             BIGINT   of these, those that it has in the same place
--           shared_layer_bytes       BIGINT   content of the former, each once
--           shared_chain_bytes       BIGINT   content of the latter
--           pull_blobs               BIGINT   blobs of the new image that the old one lacks
--           pull_compressed_bytes    BIGINT   of these blobs, as stored
--           pull_without_blob        BIGINT   layers that the old one lacks and no source has
--                                             as a blob
--           pull_uncompressed_bytes  BIGINT   content of these
-- Source:   MEASURES.md, "merged view", "layer", "chain ID"
WITH old_view AS (
    SELECT * FROM visible WHERE image_id = $old
),

new_view AS (
    SELECT * FROM visible WHERE image_id = $new
),

pairs AS (
    SELECT
        coalesce(old.path, new.path) AS path,
        coalesce(new.kind, old.kind) AS kind,
        old.size_bytes AS old_bytes,
        new.size_bytes AS new_bytes,
        old.position AS old_position,
        new.position AS new_position,
        old.path IS NULL AS is_new,
        new.path IS NULL AS is_gone,
        CASE
            WHEN old.path IS NULL OR new.path IS NULL THEN [] ELSE fields_between(old, new)
        END AS fields
    FROM old_view AS old
    FULL JOIN new_view AS new ON new.path = old.path
),

compared AS (
    SELECT
        *,
        CASE
            WHEN is_new THEN 'added' WHEN is_gone THEN 'removed' ELSE change_of(fields)
        END AS change
    FROM pairs
),

files AS (
    SELECT
        count(*) FILTER (WHERE change = 'added') AS added,
        count(*) FILTER (WHERE change = 'removed') AS removed,
        count(*) FILTER (WHERE change = 'changed') AS changed,
        count(*) FILTER (WHERE change = 'metadata_only') AS metadata_only,
        count(*) FILTER (WHERE change = 'unchanged') AS unchanged,
        sum(new_bytes) FILTER (WHERE change = 'added') AS added_bytes,
        sum(old_bytes) FILTER (WHERE change = 'removed') AS removed_bytes,
        sum(old_bytes) FILTER (WHERE change = 'changed') AS changed_old_bytes,
        sum(new_bytes) FILTER (WHERE change = 'changed') AS changed_new_bytes,
        sum(new_bytes) FILTER (WHERE change = 'metadata_only') AS metadata_only_bytes
    FROM compared
),

old_stack AS (
    SELECT * FROM stack WHERE image_id = $old
),

new_stack AS (
    SELECT
        stack.position,
        stack.layer,
        coalesce(layers.content_bytes, 0) AS content_bytes,
        stack.layer IN (SELECT layer FROM old_stack) AS has_layer,
        stack.chain_id IN (SELECT chain_id FROM old_stack) AS has_chain,
        row_number() OVER (PARTITION BY stack.layer ORDER BY stack.position) = 1 AS is_first
    FROM stack
    LEFT JOIN layers USING (layer)
    WHERE stack.image_id = $new
),

old_blobs AS (
    SELECT blob FROM scan_image_layers WHERE image_id = $old AND blob IS NOT NULL
),

-- where sources hold a layer in several blobs, one that is there already is not pulled
new_blobs AS (
    SELECT
        position,
        bool_or(blob IN (SELECT blob FROM old_blobs)) AS has_blob,
        arg_min(blob, (compressed_bytes IS NULL, compressed_bytes, blob)) AS blob,
        min(compressed_bytes) AS compressed_bytes
    FROM scan_image_layers
    WHERE image_id = $new AND blob IS NOT NULL AND compressed_bytes IS NOT NULL
    GROUP BY position
),

pulls AS (
    SELECT blob, any_value(compressed_bytes) AS compressed_bytes
    FROM new_blobs
    WHERE NOT has_blob
    GROUP BY blob
),

unblobbed AS (
    SELECT new_stack.*
    FROM new_stack
    ANTI JOIN new_blobs USING (position)
    WHERE NOT new_stack.has_layer AND new_stack.is_first
),

names AS (
    SELECT image_id, coalesce(names[1], digest, image_id) AS name FROM image
),

sums AS (
    SELECT
        (SELECT name FROM names WHERE image_id = $old) AS old_name,
        (SELECT name FROM names WHERE image_id = $new) AS new_name,
        (SELECT count(*) FROM old_stack) AS old_layers,
        (SELECT count(*) FROM new_stack) AS new_layers,
        (SELECT count(*) FROM new_stack WHERE has_layer) AS shared_layers,
        (SELECT count(*) FROM new_stack WHERE has_chain) AS shared_chain,
        (SELECT sum(content_bytes) FROM new_stack WHERE has_layer AND is_first)
            AS shared_layer_bytes,
        (SELECT sum(content_bytes) FROM new_stack WHERE has_chain) AS shared_chain_bytes,
        (SELECT count(*) FROM pulls) AS pull_blobs,
        (SELECT sum(compressed_bytes) FROM pulls) AS pull_compressed_bytes,
        (SELECT count(*) FROM unblobbed) AS pull_without_blob,
        (SELECT sum(content_bytes) FROM unblobbed) AS pull_uncompressed_bytes
)

SELECT
    sums.old_name,
    sums.new_name,
    files.added,
    files.removed,
    files.changed,
    files.metadata_only,
    files.unchanged,
    coalesce(files.added_bytes, 0)::BIGINT AS added_bytes,
    coalesce(files.removed_bytes, 0)::BIGINT AS removed_bytes,
    coalesce(files.changed_old_bytes, 0)::BIGINT AS changed_old_bytes,
    coalesce(files.changed_new_bytes, 0)::BIGINT AS changed_new_bytes,
    coalesce(files.metadata_only_bytes, 0)::BIGINT AS metadata_only_bytes,
    sums.old_layers,
    sums.new_layers,
    sums.shared_layers,
    sums.shared_chain,
    coalesce(sums.shared_layer_bytes, 0)::BIGINT AS shared_layer_bytes,
    coalesce(sums.shared_chain_bytes, 0)::BIGINT AS shared_chain_bytes,
    sums.pull_blobs,
    coalesce(sums.pull_compressed_bytes, 0)::BIGINT AS pull_compressed_bytes,
    sums.pull_without_blob,
    coalesce(sums.pull_uncompressed_bytes, 0)::BIGINT AS pull_uncompressed_bytes
FROM files
CROSS JOIN sums;
