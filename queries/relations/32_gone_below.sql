-- Question: Which bytes of its image does each container hide by whiteouts?
-- Grain:    one row per container that hides any
-- Params:   none
-- Columns:  source        VARCHAR  location of the store
--           container_id  VARCHAR  its ID there
--           files         BIGINT   inodes whose last name it hides
--           hidden_bytes  BIGINT   their bytes
-- Source:   MEASURES.md, "For a container"
WITH marks AS (
    SELECT source, container_id, image_id, path, kind
    FROM written
    WHERE kind IN ('whiteout', 'opaque')
),

names AS (
    SELECT image_id, path, unnest(list_append(ancestors_of(path), path)) AS cover
    FROM visible
    WHERE kind = 'file' AND image_id IN (SELECT image_id FROM written)
),

-- names that lie at a whiteout, or below a whiteout or an opaque directory
gone_names AS (
    SELECT DISTINCT marks.source, marks.container_id, names.image_id, names.path
    FROM marks
    JOIN names
        ON names.image_id = marks.image_id
        AND names.cover = marks.path
        AND (marks.kind = 'whiteout' OR names.path <> marks.path)
),

name_counts AS (
    SELECT image_id, inode_chain, inode_member, count(*) AS names
    FROM visible
    WHERE kind = 'file'
    GROUP BY image_id, inode_chain, inode_member
),

gone AS (
    SELECT
        gone_names.source,
        gone_names.container_id,
        visible.image_id,
        visible.inode_chain,
        visible.inode_member,
        any_value(visible.size_bytes) AS size_bytes,
        count(*) AS names
    FROM gone_names
    JOIN visible USING (image_id, path)
    GROUP BY ALL
)

SELECT
    gone.source,
    gone.container_id,
    count(*) AS files,
    sum(gone.size_bytes)::BIGINT AS hidden_bytes
FROM gone
JOIN name_counts USING (image_id, inode_chain, inode_member)
WHERE gone.names = name_counts.names
GROUP BY gone.source, gone.container_id;
