-- Question: How many bytes has each folder of each layer of the costliest images?
-- Grain:    one row per (image, position, folder)
-- Params:   $images   BIGINT  number of images, the largest attributed bytes first
--           $folders  BIGINT  number of folders per layer; the rest is one row
-- Columns:  image_id          VARCHAR  config digest as computed
--           position          INTEGER  layer index, 0 = base
--           images            BIGINT   images that share this chain node
--           created_by        VARCHAR  build step; null if the config gives none
--           folder            VARCHAR  first two components of the path; null for the rest
--           size_bytes        BIGINT   size of the files in it
--           shadowed_bytes    BIGINT   of these, bytes that are shadowed in this image
-- Source:   docs/measures.md, "Attributed bytes", "Content, live and shadowed bytes"
WITH chosen AS (
    SELECT image_id
    FROM share
    WHERE granularity = 'unpacked'
    ORDER BY attributed_bytes DESC, image_id
    LIMIT $images
),

places AS (
    SELECT stack.image_id, stack.position, stack.layer, stack.chain_id, node.images, node.created_by
    FROM stack
    JOIN chosen USING (image_id)
    JOIN node USING (chain_id)
    WHERE stack.layer IS NOT NULL
),

hidden AS (
    SELECT DISTINCT places.image_id, shadow.added_chain, shadow.member
    FROM places
    JOIN shadow USING (chain_id)
),

files AS (
    SELECT
        layer,
        member,
        size_bytes,
        array_to_string(string_split(parent_of(path), '/')[1:2], '/') AS folder
    FROM item
    WHERE kind = 'file' AND size_bytes > 0 AND layer IN (SELECT layer FROM places)
),

placed AS (
    SELECT
        places.image_id,
        places.position,
        places.images,
        places.created_by,
        files.folder,
        sum(files.size_bytes)::BIGINT AS size_bytes,
        sum(CASE WHEN hidden.member IS NULL THEN 0 ELSE files.size_bytes END)::BIGINT
            AS shadowed_bytes
    FROM places
    JOIN files USING (layer)
    LEFT JOIN hidden
        ON hidden.image_id = places.image_id
        AND hidden.added_chain = places.chain_id
        AND hidden.member = files.member
    GROUP BY
        places.image_id, places.position, places.images, places.created_by, files.folder
),

ranked AS (
    SELECT
        placed.*,
        row_number() OVER (
            PARTITION BY placed.image_id, placed.position
            ORDER BY placed.size_bytes DESC, placed.folder
        ) AS place
    FROM placed
),

named AS (
    SELECT * REPLACE (if(place <= $folders, folder, NULL) AS folder) FROM ranked
)

SELECT
    image_id,
    position,
    images,
    created_by,
    folder,
    sum(size_bytes)::BIGINT AS size_bytes,
    sum(shadowed_bytes)::BIGINT AS shadowed_bytes
FROM named
GROUP BY image_id, position, images, created_by, folder
ORDER BY image_id, position, size_bytes DESC, folder;
