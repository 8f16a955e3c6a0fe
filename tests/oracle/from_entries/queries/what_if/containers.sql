-- Question: Which containers prevent deleting these images?
-- Grain:    one row per container
-- Params:   $images  VARCHAR[]  image IDs
-- Columns:  source        VARCHAR  location of the store that keeps it
--           container_id  VARCHAR  its ID
--           name          VARCHAR  null if it has none
--           running       BOOLEAN  null if the store does not say
--           image_id      VARCHAR  ID of the image that it was made from
--           image         VARCHAR  name of that image
-- Source:   docs/measures.md, "Containers and deleting"
--
-- containerd deletes an image that has containers; they keep its snapshots.
SELECT
    scan_containers.source,
    scan_containers.container_id,
    scan_containers.name,
    scan_containers.running,
    image.image_id,
    coalesce(scan_containers.image, image.names[1], image.image_id) AS image
FROM scan_containers
JOIN image
    ON image.image_id = scan_containers.image_id
    OR (scan_containers.image_id IS NULL AND list_contains(image.names, scan_containers.image))
JOIN scan_sources ON scan_sources.source = scan_containers.source
WHERE
    list_contains($images::VARCHAR[], image.image_id)
    AND scan_sources.kind <> 'containerd'
ORDER BY scan_containers.source, scan_containers.container_id, image.image_id;
