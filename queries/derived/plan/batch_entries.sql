-- Question: Which entries do the layers of a batch have, in as few bytes as possible?
-- Grain:    one row per entry (layer, member) that is not ignored
-- Params:   none
-- Columns:  number     INTEGER  the layer
--           member     INTEGER  the entry
--           path_id    UBIGINT  hash of its path
--           folder_id  UBIGINT  hash of its directory
--           is_plain   BOOLEAN  a directory like those that a layer implies
--           is_mark    BOOLEAN  a whiteout or an opaque mark
--           link_id    UBIGINT  hash of the target of a hard link; null for others
-- Source:   docs/design.md, "What is kept"
--
-- Two paths of one hash are taken for one. This table only chooses which entries are looked at
-- closely, so that a collision costs time and changes nothing.
SELECT
    batch_layer.number,
    entries.member,
    hash(entries.path) AS path_id,
    hash(parse_dirpath(entries.path, 'forward_slash')) AS folder_id,
    entries.kind = 'directory'
    AND NOT is_unlike_implied(entries.mode, entries.uid, entries.gid, entries.xattrs) AS is_plain,
    is_mark(entries.kind) AS is_mark,
    CASE WHEN entries.kind = 'hardlink' THEN hash(entries.link) END AS link_id
FROM batch_source AS entries
JOIN batch_layer USING (layer)
WHERE entries.kind <> 'ignored';
