-- Question: Which entries has each container written over its image?
-- Grain:    one row per entry of a container's writable branch; directories are left out
-- Params:   none
-- Columns:  source           VARCHAR    location of the store
--           container_id     VARCHAR    its ID there
--           path             VARCHAR    path in the container
--           kind             VARCHAR    as in entries
--           size_bytes       BIGINT     logical size of a regular file; 0 for others
--           below_bytes      BIGINT     size of what the image has at that path; null if nothing
--           copied_up        BOOLEAN    a regular file over a regular file of the image
--           metadata_only    BOOLEAN    copied up, and the content is the same; null if a quick
--                                       scan did not compare contents
--           changed_fields   VARCHAR[]  fields that differ; empty unless metadata_only, null if
--                                       that is
--           image_id         VARCHAR    its image; null if the image was not read
--           position         INTEGER    layer index of the file in the image
-- Source:   docs/measures.md, "Bytes of a container"
WITH uppers AS (
    SELECT
        scan_containers.source,
        scan_containers.container_id,
        image.image_id,
        entries.path,
        entries.kind,
        entries.size_bytes,
        entries.mode,
        entries.uid,
        entries.gid,
        entries.mtime_ns,
        entries.xattrs,
        entries.content_hash,
        coalesce(contains(entries.flags, 'overlay-metacopy'), FALSE) AS metacopy
    FROM scan_containers
    JOIN entries USING (layer)
    LEFT JOIN image ON image.image_id = scan_containers.image_id
    WHERE entries.kind NOT IN ('directory', 'ignored')
),

compared AS (
    SELECT
        uppers.*,
        below.size_bytes AS below_bytes,
        below.position,
        uppers.kind = 'file' AND coalesce(below.kind = 'file', FALSE) AS copied_up,
        CASE
            WHEN uppers.metacopy THEN TRUE
            WHEN uppers.kind = 'file' AND below.kind = 'file'
                THEN NOT contents_differ(below, uppers)
            ELSE FALSE
        END AS same_data,
        metadata_between(below, uppers) AS differing
    FROM uppers
    LEFT JOIN visible AS below
        ON below.image_id = uppers.image_id AND below.path = uppers.path
)

SELECT
    source,
    container_id,
    path,
    kind,
    size_bytes,
    below_bytes,
    copied_up,
    copied_up AND same_data AS metadata_only,
    CASE
        WHEN copied_up AND same_data THEN differing
        WHEN (copied_up AND same_data) IS NOT NULL THEN []
    END AS changed_fields,
    image_id,
    position
FROM compared;
