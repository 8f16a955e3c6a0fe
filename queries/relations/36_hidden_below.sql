-- Question: How many bytes of its image does each container hide by whiteouts?
-- Grain:    one row per container that hides a file
-- Params:   none
-- Columns:  source        VARCHAR  location of the store
--           container_id  VARCHAR  its ID there
--           files         BIGINT   inodes whose last name it hides
--           hidden_bytes  BIGINT   their bytes
-- Source:   docs/measures.md, "Bytes of a container"
WITH marks AS (
    SELECT source, container_id, image_id, path, kind
    FROM written
    WHERE is_mark(kind)
),

names AS (
    SELECT image_id, path, unnest(list_append(ancestors_of(path), path)) AS cover
    FROM container_view
    WHERE kind = 'file' AND image_id IN (SELECT image_id FROM written)
),

hidden_names AS (
    SELECT DISTINCT marks.source, marks.container_id, names.image_id, names.path
    FROM marks
    JOIN names
        ON names.image_id = marks.image_id
        AND names.cover = marks.path
    WHERE
        CASE
            WHEN names.path = marks.path THEN rule_at(marks.kind) ELSE rule_below(marks.kind)
        END IS NOT NULL
),

name_counts AS (
    SELECT image_id, inode_chain, inode_member, count(*) AS names
    FROM container_view
    WHERE kind = 'file'
    GROUP BY image_id, inode_chain, inode_member
),

-- A file is hidden if all its visible names are.
hidden_inodes AS (
    SELECT
        hidden_names.source,
        hidden_names.container_id,
        container_view.image_id,
        container_view.inode_chain,
        container_view.inode_member,
        any_value(container_view.size_bytes) AS size_bytes,
        count(*) AS names
    FROM hidden_names
    JOIN container_view USING (image_id, path)
    GROUP BY ALL
)

SELECT
    hidden_inodes.source,
    hidden_inodes.container_id,
    count(*) AS files,
    sum(hidden_inodes.size_bytes)::BIGINT AS hidden_bytes
FROM hidden_inodes
JOIN name_counts USING (image_id, inode_chain, inode_member)
WHERE hidden_inodes.names = name_counts.names
GROUP BY hidden_inodes.source, hidden_inodes.container_id;
