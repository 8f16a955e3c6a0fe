-- Question: What does a container see at each visible path, as one value to compare?
-- Grain:    one row per (image, visible path)
-- Params:   none
-- Columns:  image_id    VARCHAR  config digest as computed
--           path        VARCHAR  visible path
--           kind        VARCHAR  kind, hard links resolved
--           position    INTEGER  layer index that provides the name
--           mtime_ns    BIGINT   nanoseconds since 1970
--           carried     BOOLEAN  the path is a directory that several layers of the image list
--           first_name  VARCHAR  smallest name of the same inode; null for a directory
--           look        VARCHAR  equal for entries that agree in all but mtime
-- Source:   docs/measures.md, "Proof of a proposal", "Grades of equality"
WITH carried AS (
    SELECT stack.image_id, item.path
    FROM stack
    JOIN item USING (layer)
    WHERE item.kind = 'directory'
    GROUP BY stack.image_id, item.path
    HAVING count(DISTINCT stack.position) > 1
),

named AS (
    SELECT
        *,
        CASE
            WHEN kind <> 'directory'
                THEN min(path) OVER (PARTITION BY image_id, inode_chain, inode_member)
        END AS first_name
    FROM visible
)

SELECT
    named.image_id,
    named.path,
    named.kind,
    named.position,
    named.mtime_ns,
    carried.path IS NOT NULL AND named.kind = 'directory' AS carried,
    named.first_name,
    digest_of(concat(
        named.kind,
        chr(1),
        coalesce(named.size_bytes::VARCHAR, '-'),
        chr(1),
        coalesce(concat_ws(' ', named.mode, named.uid, named.gid), '-'),
        chr(1),
        coalesce(named.link, '-'),
        chr(1),
        coalesce(named.device, '-'),
        chr(1),
        coalesce(named.xattrs, '-'),
        chr(1),
        -- a content that a quick scan did not read equals itself alone
        coalesce(
            hex(named.content_hash),
            CASE WHEN named.kind = 'file' THEN concat_ws(' ', named.layer, named.inode_member) END,
            '-'
        ),
        chr(1),
        coalesce(named.first_name, '-')
    )) AS look
FROM named
LEFT JOIN carried USING (image_id, path);
