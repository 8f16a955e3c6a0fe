-- Question: Which files are shadowed, and which build steps added and hid them?
-- Grain:    one row per (hiding chain ID, file)
-- Params:   $most  BIGINT   maximum number of rows; null for all
--           $sort  VARCHAR  column of numbers to sort by, largest first; empty for the usual order
-- Columns:  image            VARCHAR    name of an image in which it is shadowed
--           images           BIGINT     images that share this chain node
--           path             VARCHAR    the name that was hidden last
--           size_bytes       BIGINT     logical size
--           cause            VARCHAR    modified, metadata_only, unchanged, deleted, opaque,
--                                       replaced, superseded; null if it is one of the first
--                                       three, and a quick scan did not compare the contents
--           added_position   INTEGER    index of the layer that added it
--           added_by         VARCHAR    build step of that layer; null if the config gives none
--           hidden_position  INTEGER    index of the layer that hid it
--           hidden_by        VARCHAR    build step of that layer; null if the config gives none
--           changed_fields   VARCHAR[]  fields that differ; empty unless metadata_only, null if
--                                       the cause is
-- Source:   docs/measures.md, "What hides a file", "Causes"
SELECT
    image.name AS image,
    node.images,
    shadow.spelling AS path,
    shadow.size_bytes,
    shadow.cause,
    shadow.added_position,
    added.created_by AS added_by,
    shadow.position AS hidden_position,
    node.created_by AS hidden_by,
    shadow.changed_fields
FROM shadow
JOIN node ON node.chain_id = shadow.chain_id
JOIN node AS added ON added.chain_id = shadow.added_chain
JOIN image ON image.image_id = node.image_id
ORDER BY
    CASE $sort
        WHEN 'images' THEN node.images
        WHEN 'added_position' THEN shadow.added_position
        WHEN 'hidden_position' THEN shadow.position
        ELSE shadow.size_bytes
    END DESC,
    shadow.size_bytes DESC,
    image,
    shadow.path,
    hidden_position,
    added_position,
    shadow.chain_id,
    shadow.member
LIMIT $most;
