-- Question: How many bytes of each image are content, live, shadowed, exclusive and attributed?
-- Grain:    one row per image; cache images are left out
-- Params:   none
-- Columns:  name                   VARCHAR    first name, else manifest digest, else image ID
--           label                  VARCHAR    the same, or SOURCE::NAME if images of other sources
--                                             have this name too
--           names                  VARCHAR[]  all names in all sources, sorted
--           image_id               VARCHAR    config digest as computed
--           digest                 VARCHAR    smallest manifest digest seen; null without manifests
--           platform               VARCHAR    os/architecture[/variant]
--           created                VARCHAR    as the config gives it; null if it gives none
--           sources                VARCHAR[]  locations, sorted
--           layers                 INTEGER    number of layers
--           complete               BOOLEAN    every layer could be read
--           unread_layers          BIGINT     layers that could not be read; 0 if it is complete
--           read_bytes             BIGINT     files of the layers that could be read: content_bytes
--                                             is at least this
--           read_shadowed_bytes    BIGINT     shadowed in the layers above the highest one that
--                                             could not be read: shadowed_bytes is at least this
--           content_bytes          BIGINT     files of all its layers; null if it is incomplete
--           live_bytes             BIGINT     bytes that its containers can read; null if it is
--                                             incomplete
--           shadowed_bytes         BIGINT     content - live; null if it is incomplete
--           modified               BIGINT     shadowed: the path above has other content; null if
--                                             it is incomplete, or contents were not compared
--           metadata_only          BIGINT     shadowed: the same content, other metadata; null if
--                                             it is incomplete, or contents were not compared
--           unchanged              BIGINT     shadowed: the same content and metadata; null if it
--                                             is incomplete, or contents were not compared
--           deleted                BIGINT     shadowed: a whiteout of the path or of a directory
--                                             above it; null if it is incomplete
--           opaque                 BIGINT     shadowed: an opaque directory above it; null if it is
--                                             incomplete
--           replaced               BIGINT     shadowed: it or a directory above it became another
--                                             kind; null if it is incomplete
--           superseded             BIGINT     shadowed: a later member of its layer replaced it;
--                                             null if it is incomplete
--           efficiency             DOUBLE     live / content; 1 if both are 0; null if it is
--                                             incomplete
--           exclusive_compressed   BIGINT     blobs that only this image references; null if one
--                                             has no known size and the image is incomplete
--           exclusive_unpacked     BIGINT     chain nodes that only this image references; null if
--                                             one of these could not be read
--           exclusive_content      BIGINT     contents that only this image references; null while
--                                             any image is incomplete or has contents unread
--           attributed_compressed  BIGINT     its share of the blobs; null if one has no known size
--                                             and the image is incomplete
--           attributed_unpacked    BIGINT     its share of the chain nodes; null if it is
--                                             incomplete
--           attributed_content     BIGINT     its share of the contents; null while any image is
--                                             incomplete or has contents unread
-- Source:   docs/measures.md, "Bytes of one image", "Accounting that adds up",
--           "Incomplete images"
--
-- Shadowed bytes are summed per chain node first, so that a shared base is summed once.
WITH contents AS (
    SELECT
        stack.image_id,
        sum(coalesce(layers.content_bytes, 0)) AS content_bytes,
        count(*) FILTER (WHERE stack.layer IS NULL) AS unread_layers
    FROM stack
    LEFT JOIN layers USING (layer)
    GROUP BY stack.image_id
),

node_shadows AS (
    SELECT chain_id, cause, sum(size_bytes) AS bytes FROM shadow GROUP BY chain_id, cause
),

shadows AS (
    SELECT
        stack.image_id,
        sum(bytes) AS shadowed_bytes,
        bool_and(cause IS NOT NULL) AS is_compared,
        sum(bytes) FILTER (WHERE cause = 'modified') AS modified,
        sum(bytes) FILTER (WHERE cause = 'metadata_only') AS metadata_only,
        sum(bytes) FILTER (WHERE cause = 'unchanged') AS unchanged,
        sum(bytes) FILTER (WHERE cause = 'deleted') AS deleted,
        sum(bytes) FILTER (WHERE cause = 'opaque') AS opaque,
        sum(bytes) FILTER (WHERE cause = 'replaced') AS replaced,
        sum(bytes) FILTER (WHERE cause = 'superseded') AS superseded
    FROM stack
    JOIN node_shadows USING (chain_id)
    GROUP BY stack.image_id
),

shares AS (
    SELECT
        image_id,
        sum(exclusive_bytes) FILTER (WHERE granularity = 'compressed') AS exclusive_compressed,
        sum(exclusive_bytes) FILTER (
            WHERE granularity = 'unpacked' AND unknown_units = 0
        ) AS exclusive_unpacked,
        sum(exclusive_bytes) FILTER (WHERE granularity = 'content') AS exclusive_content,
        sum(attributed_bytes) FILTER (WHERE granularity = 'compressed') AS attributed_compressed,
        sum(attributed_bytes) FILTER (WHERE granularity = 'unpacked') AS attributed_unpacked,
        sum(attributed_bytes) FILTER (WHERE granularity = 'content') AS attributed_content
    FROM share
    GROUP BY image_id
),

-- An unread layer may give a lower file a second name, which keeps it live, but not a higher one.
read_shadows AS (
    SELECT highest.image_id, sum(shadow.size_bytes) AS bytes
    FROM (SELECT image_id, max(position) AS position FROM unread GROUP BY image_id) AS highest
    JOIN stack USING (image_id)
    JOIN shadow USING (chain_id)
    WHERE shadow.added_position > highest.position
    GROUP BY highest.image_id
),

-- Every blob of these images has a known size, even if it could not be read.
sized AS (
    SELECT image_id
    FROM (
        SELECT image_id, position, bool_or(compressed_bytes IS NOT NULL) AS has_size
        FROM scan_image_layers
        GROUP BY image_id, position
    ) AS positions
    GROUP BY image_id
    HAVING bool_and(has_size)
),

figures AS (
    SELECT
        image.*,
        coalesce(contents.unread_layers, 0) AS unread_layers,
        coalesce(contents.content_bytes, 0)::BIGINT AS read_bytes,
        coalesce(shadows.shadowed_bytes, 0)::BIGINT AS hidden_bytes,
        coalesce(shadows.is_compared, TRUE) AS has_causes,
        image.complete OR image.image_id IN (SELECT image_id FROM sized) AS has_blob_sizes,
        (SELECT bool_and(every.complete) FROM image AS every)
        AND NOT EXISTS (SELECT 1 FROM node WHERE is_listed(node.layer)) AS has_all_contents
    FROM image
    LEFT JOIN contents USING (image_id)
    LEFT JOIN shadows USING (image_id)
    WHERE NOT image.is_cache
)

SELECT
    figures.own_name AS name,
    figures.name AS label,
    figures.names,
    figures.image_id,
    figures.digest,
    figures.platform,
    figures.created,
    figures.sources,
    figures.layers,
    figures.complete,
    figures.unread_layers,
    figures.read_bytes,
    if(complete, hidden_bytes, coalesce(read_shadows.bytes, 0))::BIGINT AS read_shadowed_bytes,
    if(complete, read_bytes, NULL) AS content_bytes,
    if(complete, read_bytes - hidden_bytes, NULL) AS live_bytes,
    if(complete, hidden_bytes, NULL) AS shadowed_bytes,
    if(complete AND has_causes, coalesce(modified, 0), NULL)::BIGINT AS modified,
    if(complete AND has_causes, coalesce(metadata_only, 0), NULL)::BIGINT AS metadata_only,
    if(complete AND has_causes, coalesce(unchanged, 0), NULL)::BIGINT AS unchanged,
    if(complete, coalesce(deleted, 0), NULL)::BIGINT AS deleted,
    if(complete, coalesce(opaque, 0), NULL)::BIGINT AS opaque,
    if(complete, coalesce(replaced, 0), NULL)::BIGINT AS replaced,
    if(complete, coalesce(superseded, 0), NULL)::BIGINT AS superseded,
    CASE
        WHEN NOT complete THEN NULL
        WHEN read_bytes = 0 THEN 1.0
        ELSE (read_bytes - hidden_bytes)::DOUBLE / read_bytes
    END AS efficiency,
    if(has_blob_sizes, coalesce(exclusive_compressed, 0), NULL)::BIGINT AS exclusive_compressed,
    if(complete, coalesce(exclusive_unpacked, 0), exclusive_unpacked)::BIGINT
        AS exclusive_unpacked,
    if(has_all_contents, coalesce(exclusive_content, 0), NULL)::BIGINT AS exclusive_content,
    if(has_blob_sizes, coalesce(attributed_compressed, 0), NULL)::BIGINT AS attributed_compressed,
    if(complete, coalesce(attributed_unpacked, 0), NULL)::BIGINT AS attributed_unpacked,
    if(has_all_contents, coalesce(attributed_content, 0), NULL)::BIGINT AS attributed_content
FROM figures
LEFT JOIN read_shadows USING (image_id)
LEFT JOIN shadows USING (image_id)
LEFT JOIN shares USING (image_id)
ORDER BY read_bytes DESC, name, image_id;
