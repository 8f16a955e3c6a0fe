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
--           complete               BOOLEAN    the rows of every layer are known
--           content_bytes          BIGINT     files of all its layers
--           live_bytes             BIGINT     bytes that its containers can read
--           shadowed_bytes         BIGINT     content - live
--           modified               BIGINT     shadowed: the path above has other content
--           metadata_only          BIGINT     shadowed: the same content, other metadata
--           unchanged              BIGINT     shadowed: the same content and metadata
--           deleted                BIGINT     shadowed: a whiteout of the path or of a directory
--                                             above it
--           opaque                 BIGINT     shadowed: an opaque directory above it
--           replaced               BIGINT     shadowed: it or a directory above it became another
--                                             kind
--           superseded             BIGINT     shadowed: a later member of its layer replaced it
--           efficiency             DOUBLE     live / content; 1 if both are 0
--           exclusive_compressed   BIGINT     blobs that only this image references
--           exclusive_unpacked     BIGINT     chain nodes that only this image references
--           exclusive_content      BIGINT     contents that only this image references
--           attributed_compressed  BIGINT     its share of the blobs
--           attributed_unpacked    BIGINT     its share of the chain nodes
--           attributed_content     BIGINT     its share of the contents
-- Source:   docs/measures.md, "Bytes of one image", "Accounting that adds up"
--
-- Shadowed bytes are summed per chain node first, so that a shared base is summed once.
WITH contents AS (
    SELECT stack.image_id, sum(coalesce(layers.content_bytes, 0)) AS content_bytes
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
        sum(exclusive_bytes) FILTER (WHERE granularity = 'unpacked') AS exclusive_unpacked,
        sum(exclusive_bytes) FILTER (WHERE granularity = 'content') AS exclusive_content,
        sum(attributed_bytes) FILTER (WHERE granularity = 'compressed') AS attributed_compressed,
        sum(attributed_bytes) FILTER (WHERE granularity = 'unpacked') AS attributed_unpacked,
        sum(attributed_bytes) FILTER (WHERE granularity = 'content') AS attributed_content
    FROM share
    GROUP BY image_id
)

SELECT
    image.own_name AS name,
    image.name AS label,
    image.names,
    image.image_id,
    image.digest,
    image.platform,
    image.created,
    image.sources,
    image.layers,
    image.complete,
    coalesce(content_bytes, 0)::BIGINT AS content_bytes,
    (coalesce(content_bytes, 0) - coalesce(shadowed_bytes, 0))::BIGINT AS live_bytes,
    coalesce(shadowed_bytes, 0)::BIGINT AS shadowed_bytes,
    coalesce(modified, 0)::BIGINT AS modified,
    coalesce(metadata_only, 0)::BIGINT AS metadata_only,
    coalesce(unchanged, 0)::BIGINT AS unchanged,
    coalesce(deleted, 0)::BIGINT AS deleted,
    coalesce(opaque, 0)::BIGINT AS opaque,
    coalesce(replaced, 0)::BIGINT AS replaced,
    coalesce(superseded, 0)::BIGINT AS superseded,
    CASE
        WHEN coalesce(content_bytes, 0) = 0 THEN 1.0
        ELSE (content_bytes - coalesce(shadowed_bytes, 0))::DOUBLE / content_bytes
    END AS efficiency,
    coalesce(exclusive_compressed, 0)::BIGINT AS exclusive_compressed,
    coalesce(exclusive_unpacked, 0)::BIGINT AS exclusive_unpacked,
    coalesce(exclusive_content, 0)::BIGINT AS exclusive_content,
    coalesce(attributed_compressed, 0)::BIGINT AS attributed_compressed,
    coalesce(attributed_unpacked, 0)::BIGINT AS attributed_unpacked,
    coalesce(attributed_content, 0)::BIGINT AS attributed_content
FROM image
LEFT JOIN contents USING (image_id)
LEFT JOIN shadows USING (image_id)
LEFT JOIN shares USING (image_id)
WHERE NOT image.is_cache
ORDER BY content_bytes DESC, name, image_id;
