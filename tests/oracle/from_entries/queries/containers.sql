-- Question: How many bytes has each container written and hidden on top of its image?
-- Grain:    one row per container
-- Params:   none
-- Columns:  name                         VARCHAR  name in the store, else its ID
--           container_id                 VARCHAR  its ID
--           image                        VARCHAR  name of its image, as the container records it
--           image_id                     VARCHAR  its image; null if the image was not read
--           source                       VARCHAR  location of the store
--           running                      BOOLEAN  null if the store does not say
--           ro_branches                  INTEGER  read-only layers below its writable branch; null
--                                                 if the image was not read
--           readable                     BOOLEAN  whether the writable branch could be read
--           upper_bytes                  BIGINT   files in its writable branch; null if it could
--                                                 not be read
--           copied_up_bytes              BIGINT   of these, files over a file of the image; null if
--                                                 the branch or the image could not be read
--           metadata_only_bytes          BIGINT   of these, files without new data; null if the
--                                                 branch or the image could not be read, or
--                                                 contents were not compared
--           new_bytes                    BIGINT   upper - copied up; null if the branch or the
--                                                 image could not be read
--           hidden_bytes                 BIGINT   files of the image that its whiteouts hide; null
--                                                 if the branch or the image could not be read
--           deletions                    BIGINT   number of whiteouts and opaque directories; null
--                                                 if the branch could not be read
--           allocated_bytes              BIGINT   allocated by the file system for the branch; null
--                                                 if it could not be read
--           container_cow_savings_bytes  BIGINT   what a private copy of its image would cost;
--                                                 null if the image could not be read
-- Source:   docs/measures.md, "Bytes of a container", "Incomplete images"
WITH sums AS (
    SELECT
        source,
        container_id,
        sum(size_bytes)::BIGINT AS upper_bytes,
        coalesce(sum(size_bytes) FILTER (WHERE copied_up), 0)::BIGINT AS copied_up_bytes,
        coalesce(sum(size_bytes) FILTER (WHERE metadata_only), 0)::BIGINT AS metadata_only_bytes,
        bool_and(metadata_only IS NOT NULL) AS is_compared,
        count(*) FILTER (WHERE is_mark(kind)) AS deletions
    FROM written
    GROUP BY source, container_id
),

inodes AS (
    SELECT DISTINCT image_id, inode_chain, inode_member, size_bytes
    FROM visible
    WHERE kind = 'file'
),

live AS (
    SELECT image_id, sum(size_bytes)::BIGINT AS live_bytes FROM inodes GROUP BY image_id
),

-- What was written over a file of the image is known if both could be read.
known AS (
    SELECT
        scan_containers.source,
        scan_containers.container_id,
        scan_containers.layer IS NOT NULL AND coalesce(image.complete, FALSE) AS is_known
    FROM scan_containers
    LEFT JOIN image USING (image_id)
)

SELECT
    coalesce(scan_containers.name, scan_containers.container_id) AS name,
    scan_containers.container_id,
    coalesce(scan_containers.image, image.names[1]) AS image,
    image.image_id,
    scan_containers.source,
    scan_containers.running,
    image.layers AS ro_branches,
    scan_containers.layer IS NOT NULL AS readable,
    if(scan_containers.layer IS NULL, NULL, coalesce(sums.upper_bytes, 0)) AS upper_bytes,
    if(is_known, coalesce(sums.copied_up_bytes, 0), NULL) AS copied_up_bytes,
    if(
        is_known AND coalesce(sums.is_compared, TRUE), coalesce(sums.metadata_only_bytes, 0), NULL
    ) AS metadata_only_bytes,
    if(
        is_known, coalesce(sums.upper_bytes, 0) - coalesce(sums.copied_up_bytes, 0), NULL
    ) AS new_bytes,
    if(is_known, coalesce(hidden_below.hidden_bytes, 0), NULL) AS hidden_bytes,
    if(scan_containers.layer IS NULL, NULL, coalesce(sums.deletions, 0)) AS deletions,
    scan_containers.allocated_bytes,
    if(image.complete, coalesce(live.live_bytes, 0), NULL) AS container_cow_savings_bytes
FROM scan_containers
JOIN known USING (source, container_id)
LEFT JOIN image USING (image_id)
LEFT JOIN sums USING (source, container_id)
LEFT JOIN hidden_below USING (source, container_id)
LEFT JOIN live USING (image_id)
ORDER BY upper_bytes DESC, name, scan_containers.container_id, scan_containers.source;
