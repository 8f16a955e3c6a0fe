-- Question: Which files have containers copied up, and from which layer?
-- Grain:    one row per (container, file)
-- Params:   none
-- Columns:  container        VARCHAR    its name, else its ID
--           path             VARCHAR    path in the container
--           size_bytes       BIGINT     size of the copy
--           below_bytes      BIGINT     size of the file below
--           metadata_only    BOOLEAN    copied up, and the content is the same; null if a quick
--                                       scan did not compare contents
--           changed_fields   VARCHAR[]  fields that differ; empty unless metadata_only, null if
--                                       that is
--           position         INTEGER    layer index of the file below
--           created_by       VARCHAR    build step of that layer; null if the config gives none
--           image            VARCHAR    name of the container's image
-- Source:   docs/measures.md, "Bytes of a container"
SELECT
    coalesce(scan_containers.name, scan_containers.container_id) AS container,
    written.path,
    written.size_bytes,
    written.below_bytes,
    written.metadata_only,
    written.changed_fields,
    written.position,
    stack.created_by,
    coalesce(scan_containers.image, image.names[1]) AS image
FROM written
JOIN scan_containers USING (source, container_id)
LEFT JOIN image ON image.image_id = written.image_id
LEFT JOIN stack ON stack.image_id = written.image_id AND stack.position = written.position
WHERE written.copied_up
ORDER BY written.below_bytes DESC, container, written.path, written.source;
