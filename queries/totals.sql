-- Question: How many bytes does the whole scan hold, and how many does sharing save?
-- Grain:    one row
-- Params:   none
-- Columns:  images                   BIGINT  images, each once; cache images are not counted
--           cache_images             BIGINT  untagged images that are deleted with a child
--           incomplete_images        BIGINT  images with a layer that could not be read; unless
--                                            it is 0, figures of content are lower bounds: they
--                                            leave out these layers
--           layers                   BIGINT  distinct layers that some image references
--           entries                  BIGINT  number of their entries
--           files                    BIGINT  number of their regular files
--           stored_bytes             BIGINT  on disk in all sources, copies counted
--           compressed_bytes         BIGINT  size of distinct blobs that images reference
--           layer_bytes              BIGINT  content of distinct layers
--           unpacked_bytes           BIGINT  what unpacking all images takes: content of distinct
--                                            chain nodes, each again for each further namespace
--                                            and snapshotter, full trees in full
--           naive_bytes              BIGINT  content of every image in full
--           live_bytes               BIGINT  live bytes of every complete image in full; null if
--                                            no image is complete
--           shadowed_bytes           BIGINT  shadowed bytes of every complete image in full; null
--                                            if no image is complete
--           efficiency               DOUBLE  live / (live + shadowed); 1 if both are 0; null if no
--                                            image is complete
--           cow_savings_bytes        BIGINT  naive - unpacked; negative if full trees take more
--           position_loss_bytes      BIGINT  content of distinct chain nodes - layer
--           unshared_bytes           BIGINT  unpacked - layer - position loss: what a driver that
--                                            shares layers, or a single namespace, would save
--           unique_content_bytes     BIGINT  size of distinct contents; null if a quick scan left
--                                            some unread
--           duplicate_content_bytes  BIGINT  layer - unique content; null if a quick scan left some
--                                            contents unread
--           dead_bytes               BIGINT  files that are shadowed in every image, all of which
--                                            are complete
--           orphan_bytes             BIGINT  blobs and layers that no image references; null if
--                                            references of a source are unseen
-- Source:   docs/measures.md, "Bytes of the whole scan", "Incomplete images"
WITH used_layers AS (
    SELECT * FROM layers WHERE layer IN (SELECT layer FROM node)
),

-- The number of complete images that contain each chain node.
complete_nodes AS (
    SELECT stack.chain_id, count(*) AS images
    FROM stack
    JOIN image USING (image_id)
    WHERE image.complete
    GROUP BY stack.chain_id
),

node_sizes AS (
    SELECT
        node.chain_id,
        node.images,
        complete_nodes.images AS complete_images,
        coalesce(layers.content_bytes, 0) AS content_bytes
    FROM node
    LEFT JOIN layers USING (layer)
    LEFT JOIN complete_nodes USING (chain_id)
),

blobs AS (
    SELECT sum(bytes) AS compressed_bytes FROM unit_class WHERE granularity = 'compressed'
),

trees AS (
    SELECT sum(bytes) AS unpacked_bytes FROM unit_class WHERE granularity = 'unpacked'
),

shadowed AS (
    SELECT coalesce(sum(kept.size_bytes * complete_nodes.images), 0) AS shadowed_bytes
    FROM kept_node_hidden AS kept
    JOIN node USING (node_id)
    JOIN complete_nodes USING (chain_id)
),

sums AS (
    SELECT
        (SELECT count(*) FROM image WHERE NOT is_cache) AS images,
        (SELECT count(*) FROM image WHERE is_cache) AS cache_images,
        (SELECT count(*) FROM image WHERE NOT complete AND NOT is_cache) AS incomplete_images,
        (SELECT count(*) FROM used_layers) AS layers,
        (SELECT coalesce(sum(entries), 0) FROM used_layers) AS entries,
        (SELECT coalesce(sum(files), 0) FROM used_layers) AS files,
        (SELECT coalesce(sum(stored_bytes), 0) FROM scan_sources) AS stored_bytes,
        (SELECT coalesce(compressed_bytes, 0) FROM blobs) AS compressed_bytes,
        (SELECT coalesce(sum(content_bytes), 0) FROM used_layers) AS layer_bytes,
        (SELECT coalesce(sum(content_bytes), 0) FROM node_sizes) AS chain_bytes,
        (SELECT coalesce(unpacked_bytes, 0) FROM trees) AS unpacked_bytes,
        (SELECT coalesce(sum(content_bytes * images), 0) FROM node_sizes) AS naive_bytes,
        (
            SELECT coalesce(sum(content_bytes * complete_images), 0) FROM node_sizes
        ) AS complete_bytes,
        (SELECT shadowed_bytes FROM shadowed) AS shadowed_bytes,
        (
            SELECT if(bool_or(is_listed(layer)), NULL, 0) FROM used_layers
        ) + (SELECT coalesce(sum(bytes), 0) FROM content_class) AS unique_content_bytes,
        (SELECT coalesce(sum(size_bytes), 0) FROM dead) AS dead_bytes,
        (
            SELECT CASE WHEN count(unseen_references) = 0 THEN coalesce(sum(orphan_bytes), 0) END
            FROM scan_sources
        ) AS orphan_bytes
),

-- Without any image, nothing is unknown.
figures AS (
    SELECT *, images = 0 OR incomplete_images < images AS has_complete FROM sums
)

SELECT
    images,
    cache_images,
    incomplete_images,
    layers,
    entries::BIGINT AS entries,
    files::BIGINT AS files,
    stored_bytes::BIGINT AS stored_bytes,
    compressed_bytes::BIGINT AS compressed_bytes,
    layer_bytes::BIGINT AS layer_bytes,
    unpacked_bytes::BIGINT AS unpacked_bytes,
    naive_bytes::BIGINT AS naive_bytes,
    if(has_complete, complete_bytes - shadowed_bytes, NULL)::BIGINT AS live_bytes,
    if(has_complete, shadowed_bytes, NULL)::BIGINT AS shadowed_bytes,
    CASE
        WHEN images = 0 OR NOT has_complete THEN NULL
        WHEN complete_bytes = 0 THEN 1.0
        ELSE (complete_bytes - shadowed_bytes)::DOUBLE / complete_bytes
    END AS efficiency,
    (naive_bytes - unpacked_bytes)::BIGINT AS cow_savings_bytes,
    (chain_bytes - layer_bytes)::BIGINT AS position_loss_bytes,
    (unpacked_bytes - chain_bytes)::BIGINT AS unshared_bytes,
    unique_content_bytes::BIGINT AS unique_content_bytes,
    (layer_bytes - unique_content_bytes)::BIGINT AS duplicate_content_bytes,
    dead_bytes::BIGINT AS dead_bytes,
    orphan_bytes::BIGINT AS orphan_bytes
FROM figures;
