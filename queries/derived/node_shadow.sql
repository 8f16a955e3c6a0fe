-- Question: Which files does each new chain node hide for good, by which name and cause?
-- Grain:    one row per (hiding node, file)
-- Params:   none
-- Columns:  node_id         UUID       the node that hides the file's last visible name
--           added_position  INTEGER    position of the node that added it, in the same chain
--           member          INTEGER    the file in its layer
--           path            VARCHAR    the name that was hidden last; of several the smallest
--           spelling        VARCHAR    in layers of Windows, that name as its layer spells it, if
--                                      that differs
--           file_path       VARCHAR    path of the member itself, if that differs
--           size_bytes      BIGINT     logical size
--           cause           VARCHAR    as in the relation shadow
--           changed_fields  VARCHAR[]  as in the relation shadow
--           upper_mode      INTEGER    permission bits of the file that has the name in the layer
--                                      that hides; null if none has, as are the next two
--           upper_uid       BIGINT     its owner
--           upper_gid       BIGINT     its group
-- Source:   docs/measures.md, "What hides a file", "Causes"
SELECT
    node.node_id,
    hiding.added_position,
    hiding.member,
    hiding.path,
    nullif(hiding.spelling, hiding.path) AS spelling,
    nullif(hiding.file_path, hiding.path) AS file_path,
    hiding.size_bytes,
    hiding.cause,
    hiding.changed_fields,
    upper_file.mode AS upper_mode,
    upper_file.uid AS upper_uid,
    upper_file.gid AS upper_gid
FROM hiding
JOIN new_node USING (chain_id)
JOIN node USING (chain_id)
LEFT JOIN item AS upper_file
    ON upper_file.layer = node.layer
    AND upper_file.path = hiding.path
    AND upper_file.taken_by IS NULL
    AND upper_file.kind = 'file'
ORDER BY node.node_id, hiding.added_position, hiding.member;
