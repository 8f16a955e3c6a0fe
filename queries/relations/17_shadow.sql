-- Question: Which files does each chain node hide for good, by which name and cause?
-- Grain:    one row per (hiding chain ID, file)
-- Params:   none
-- Columns:  chain_id        VARCHAR    the chain node that hides the file's last visible name
--           position        INTEGER    its position
--           added_chain     VARCHAR    the chain node that added the file
--           added_position  INTEGER    its position
--           layer           VARCHAR    key of the layer that added it
--           member          INTEGER    the file in that layer
--           path            VARCHAR    the name that was hidden last; of several the smallest
--           spelling        VARCHAR    that name as its layer spells it: path, in another case
--           file_path       VARCHAR    path of the member itself, which may have other names
--           size_bytes      BIGINT     logical size
--           cause           VARCHAR    modified, metadata_only, unchanged, deleted, opaque,
--                                      replaced, superseded; null if it is one of the first three,
--                                      and a quick scan did not read the contents
--           changed_fields  VARCHAR[]  fields that differ; empty unless metadata_only, null if
--                                      the cause is
--           upper_mode      INTEGER    permission bits of the file that has the name in the layer
--                                      that hides; null if none has, as are the next two
--           upper_uid       BIGINT     its owner
--           upper_gid       BIGINT     its group
-- Source:   docs/measures.md, "What hides a file", "Causes"; docs/catalog.md, "Derived rows"
SELECT
    node.chain_id,
    node.position,
    coalesce(above.below, node.chain_id) AS added_chain,
    kept.added_position,
    coalesce(above.below_layer, node.layer) AS layer,
    kept.member,
    kept.path,
    coalesce(kept.spelling, kept.path) AS spelling,
    coalesce(kept.file_path, kept.path) AS file_path,
    kept.size_bytes,
    kept.cause,
    kept.changed_fields,
    kept.upper_mode,
    kept.upper_uid,
    kept.upper_gid
FROM kept_node_shadow AS kept
JOIN node USING (node_id)
LEFT JOIN above
    ON above.chain_id = node.chain_id AND above.below_position = kept.added_position;
