-- Question: How much differs between two images, and what must be pulled to update to the new one?
-- Grain:    one row
-- Params:   $old  VARCHAR  image ID
--           $new  VARCHAR  image ID
-- Columns:  old_name                 VARCHAR  first name, else image ID
--           new_name                 VARCHAR  first name, else image ID
--           complete                 BOOLEAN  every layer of both images could be read
--           added                    BIGINT   paths that only the new image shows;
--                                             null if one is incomplete
--           removed                  BIGINT   paths that only the old image shows;
--                                             null if one is incomplete
--           changed                  BIGINT   paths with another kind, content, link or device;
--                                             null if one is incomplete or not compared
--           metadata_only            BIGINT   paths that differ only in metadata;
--                                             null if one is incomplete or not compared
--           unchanged                BIGINT   paths that are the same;
--                                             null if one is incomplete or not compared
--           added_bytes              BIGINT   logical size of the added files;
--                                             null if one is incomplete
--           removed_bytes            BIGINT   logical size of the removed files;
--                                             null if one is incomplete
--           changed_old_bytes        BIGINT   logical size of the changed files in the old image;
--                                             null if one is incomplete or not compared
--           changed_new_bytes        BIGINT   logical size of the changed files in the new image;
--                                             null if one is incomplete or not compared
--           metadata_only_bytes      BIGINT   logical size of the files that differ only in
--                                             metadata;
--                                             null if one is incomplete or not compared
--           old_layers               BIGINT   layers of the old image
--           new_layers               BIGINT   layers of the new image
--           shared_layers            BIGINT   layers of the new image that the old one has too
--           shared_chain             BIGINT   of these, layers on the same parents
--           shared_layer_bytes       BIGINT   content of shared_layers, each layer once;
--                                             null if one is incomplete
--           shared_chain_bytes       BIGINT   content of shared_chain;
--                                             null if one is incomplete
--           pull_blobs               BIGINT   blobs of the new image that the old one lacks
--           pull_compressed_bytes    BIGINT   size of these blobs as stored
--           pull_without_blob        BIGINT   layers that the old one lacks and of which no source
--                                             has a blob
--           pull_uncompressed_bytes  BIGINT   content of these layers;
--                                             null if one is incomplete
-- Source:   docs/measures.md, "Merged view", "Layer and diff ID", "Chain ID",
--           "Incomplete images"
WITH files AS (
    SELECT
        count(*) FILTER (WHERE change = 'added') AS added,
        count(*) FILTER (WHERE change = 'removed') AS removed,
        count(*) FILTER (WHERE change = 'changed') AS changed,
        count(*) FILTER (WHERE change = 'metadata_only') AS metadata_only,
        count(*) FILTER (WHERE change = 'unchanged') AS unchanged,
        count(*) FILTER (WHERE change IS NULL) = 0 AS is_compared,
        sum(new_bytes) FILTER (WHERE change = 'added') AS added_bytes,
        sum(old_bytes) FILTER (WHERE change = 'removed') AS removed_bytes,
        sum(old_bytes) FILTER (WHERE change = 'changed') AS changed_old_bytes,
        sum(new_bytes) FILTER (WHERE change = 'changed') AS changed_new_bytes,
        sum(new_bytes) FILTER (WHERE change = 'metadata_only') AS metadata_only_bytes
    FROM view_changes('visible', $old, $new)
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

-- Sources can hold one layer in several blobs. If the old image has any of them, nothing is pulled.
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

sums AS (
    SELECT
        (SELECT bool_and(complete) FROM image WHERE image_id IN ($old, $new)) AS complete,
        (SELECT name FROM image WHERE image_id = $old) AS old_name,
        (SELECT name FROM image WHERE image_id = $new) AS new_name,
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
    sums.complete,
    if(complete, files.added, NULL) AS added,
    if(complete, files.removed, NULL) AS removed,
    if(complete AND is_compared, files.changed, NULL) AS changed,
    if(complete AND is_compared, files.metadata_only, NULL) AS metadata_only,
    if(complete AND is_compared, files.unchanged, NULL) AS unchanged,
    if(complete, coalesce(files.added_bytes, 0), NULL)::BIGINT AS added_bytes,
    if(complete, coalesce(files.removed_bytes, 0), NULL)::BIGINT AS removed_bytes,
    if(complete AND is_compared, coalesce(files.changed_old_bytes, 0), NULL)::BIGINT
        AS changed_old_bytes,
    if(complete AND is_compared, coalesce(files.changed_new_bytes, 0), NULL)::BIGINT
        AS changed_new_bytes,
    if(complete AND is_compared, coalesce(files.metadata_only_bytes, 0), NULL)::BIGINT
        AS metadata_only_bytes,
    sums.old_layers,
    sums.new_layers,
    sums.shared_layers,
    sums.shared_chain,
    if(complete, coalesce(sums.shared_layer_bytes, 0), NULL)::BIGINT AS shared_layer_bytes,
    if(complete, coalesce(sums.shared_chain_bytes, 0), NULL)::BIGINT AS shared_chain_bytes,
    sums.pull_blobs,
    coalesce(sums.pull_compressed_bytes, 0)::BIGINT AS pull_compressed_bytes,
    sums.pull_without_blob,
    if(complete, coalesce(sums.pull_uncompressed_bytes, 0), NULL)::BIGINT AS pull_uncompressed_bytes
FROM files
CROSS JOIN sums;
