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

hidden_files AS (
    SELECT DISTINCT
        places.image_id, shadow.added_chain, shadow.member, shadow.file_path, shadow.size_bytes
    FROM places
    JOIN shadow USING (chain_id)
),

hidden AS (
    SELECT
        image_id,
        added_chain AS chain_id,
        array_to_string(string_split(parent_of(file_path), '/')[1:2], '/') AS folder,
        sum(size_bytes) AS bytes
    FROM hidden_files
    GROUP BY image_id, added_chain, folder
),

tops AS (
    SELECT
        layer_rows.layer,
        kept.folder,
        CASE WHEN kept.folder = '' THEN 0 ELSE len(string_split(kept.folder, '/')) END AS depth,
        kept.size_bytes + kept.replaced_bytes AS bytes
    FROM kept_layer_folder AS kept
    JOIN layer_rows USING (rows_id)
    WHERE
        kept.folder NOT LIKE '%/%/%'
        AND layer_rows.layer IN (SELECT layer FROM places)
),

-- Files that are not in a folder of two components count in the folder that they are in.
inside AS (
    SELECT layer, parse_dirpath(folder, 'forward_slash') AS folder, sum(bytes) AS bytes
    FROM tops
    WHERE depth > 0
    GROUP BY ALL
),

folders AS (
    SELECT
        tops.layer,
        tops.folder,
        tops.bytes - if(tops.depth = 2, 0, coalesce(inside.bytes, 0)) AS bytes
    FROM tops
    LEFT JOIN inside USING (layer, folder)
),

placed AS (
    SELECT
        places.image_id,
        places.position,
        places.images,
        places.created_by,
        folders.folder,
        folders.bytes::BIGINT AS size_bytes,
        coalesce(hidden.bytes, 0)::BIGINT AS shadowed_bytes
    FROM places
    JOIN folders USING (layer)
    LEFT JOIN hidden
        ON hidden.image_id = places.image_id
        AND hidden.chain_id = places.chain_id
        AND hidden.folder = folders.folder
    WHERE folders.bytes > 0
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
