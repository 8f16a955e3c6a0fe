-- Question: Which files and folders does the disk give back once which images are deleted?
-- Grain:    one row per place on disk that an image or an artifact needs
-- Params:   none
-- Columns:  source    VARCHAR    location
--           path      VARCHAR    below it; for sources that were not measured, a digest or chain ID
--           images    VARCHAR[]  IDs of the images, and digests of the artifacts, that must all be
--                                deleted, sorted; what else keeps the place is among them as
--                                KIND:NAME, such as container:web, so that deleting images alone
--                                does not free it
--           bytes     BIGINT     as the file system allocates them; for sources that were not
--                                measured, the size of the blob, or of the files of the unpacked
--                                layer; null if that is unknown
--           measured  BOOLEAN    the source's files and folders were measured
-- Source:   docs/measures.md, "What the disk gives back"
WITH places AS (
    SELECT source, path, allocated_bytes FROM scan_disk
),

bare_sources AS (
    SELECT source, kind, stored_bytes
    FROM scan_sources
    WHERE source NOT IN (SELECT source FROM places)
),

-- An archive is one file. Stores keep blobs, unpacked layers, or both.
bare_units AS (
    SELECT
        scan_images.source,
        '' AS path,
        scan_images.image_id,
        bare_sources.stored_bytes AS bytes
    FROM scan_images
    JOIN bare_sources USING (source)
    WHERE
        scan_images.kind = 'image'
        AND bare_sources.kind IN ('docker-archive', 'oci-archive', 'tar', 'dir')
    UNION ALL
    SELECT
        scan_image_layers.source,
        coalesce(scan_image_layers.blob, scan_image_layers.diff_id),
        scan_image_layers.image_id,
        scan_image_layers.compressed_bytes
    FROM scan_image_layers
    JOIN bare_sources USING (source)
    WHERE
        bare_sources.kind NOT IN ('docker-archive', 'oci-archive', 'tar', 'dir')
        AND scan_image_layers.compressed_bytes IS NOT NULL
    UNION ALL
    SELECT
        scan_image_layers.source,
        scan_image_layers.chain_id,
        scan_image_layers.image_id,
        coalesce(scan_image_layers.allocated_bytes, layers.content_bytes)
    FROM scan_image_layers
    JOIN bare_sources USING (source)
    LEFT JOIN layers USING (layer)
    WHERE
        bare_sources.kind IN ('docker', 'containers-storage')
        OR scan_image_layers.allocated_bytes IS NOT NULL
),

units AS (
    SELECT source, path, allocated_bytes AS bytes, TRUE AS measured FROM places
    UNION ALL
    SELECT source, path, max(bytes), FALSE
    FROM bare_units
    WHERE path IS NOT NULL
    GROUP BY source, path
),

-- The images and artifacts that need each place.
needs AS (
    SELECT source, path, name AS image_id
    FROM scan_holds
    WHERE needs_as_image(kind, name)
    UNION
    SELECT source, path, image_id FROM bare_units WHERE path IS NOT NULL
),

-- An image of another source may need it, through links: then it keeps the place by itself. docker
-- and podman do not delete an image with a container; containerd does, and its container keeps the
-- layers.
held AS (
    SELECT needs.source, needs.path, coalesce(keeper.keeper, needs.image_id) AS holder
    FROM needs
    LEFT JOIN keeper USING (source, image_id)
    UNION
    SELECT
        needs.source,
        needs.path,
        'container:' || coalesce(scan_containers.name, scan_containers.container_id)
    FROM needs
    JOIN keeper USING (source, image_id)
    JOIN scan_containers
        ON scan_containers.source = needs.source AND scan_containers.image_id = keeper.keeper
    JOIN scan_sources ON scan_sources.source = needs.source
    WHERE scan_sources.kind <> 'containerd'
    UNION
    SELECT source, path, kind || ':' || name
    FROM scan_holds
    WHERE NOT needs_as_image(kind, name) AND (source, path) IN (SELECT (source, path) FROM needs)
),

holders AS (
    SELECT source, path, list_sort(list(holder)) AS images FROM held GROUP BY source, path
)

SELECT source, path, holders.images, units.bytes, units.measured
FROM units
JOIN holders USING (source, path)
ORDER BY source, path;
