-- Question: Which images must be deleted before the store's own tools let an image go?
-- Grain:    one row per (source, image, keeper)
-- Params:   none
-- Columns:  source    VARCHAR  location
--           image_id  VARCHAR  config digest as computed
--           keeper    VARCHAR  an image of the same source; most images keep themselves alone
-- Source:   docs/measures.md, "Cache image", "What the disk gives back"
--
-- An untagged image without a container that is the recorded parent of others is deleted with the
-- last of them, and not before. docker only takes the names of a named parent, and deletes it with
-- the last of its children too; podman deletes it at once.
WITH RECURSIVE stored AS (
    SELECT
        scan_images.source,
        scan_images.image_id,
        bool_or(len(scan_images.names) > 0) AS named,
        any_value(scan_sources.kind) = 'containers-storage' AS at_once
    FROM scan_images
    JOIN scan_sources USING (source)
    WHERE scan_images.kind = 'image'
    GROUP BY scan_images.source, scan_images.image_id
),

parents AS (
    SELECT DISTINCT scan_images.source, scan_images.image_id, scan_images.parent_id
    FROM scan_images
    JOIN stored
        ON stored.source = scan_images.source AND stored.image_id = scan_images.parent_id
    WHERE scan_images.kind = 'image' AND scan_images.parent_id <> scan_images.image_id
),

-- Images that are deleted along with their children.
going_along AS (
    SELECT stored.source, stored.image_id
    FROM stored
    JOIN parents ON parents.source = stored.source AND parents.parent_id = stored.image_id
    WHERE
        NOT stored.named
        AND NOT EXISTS (
            SELECT 1
            FROM scan_containers
            WHERE
                scan_containers.source = stored.source
                AND scan_containers.image_id = stored.image_id
        )
),

kept AS (
    SELECT source, image_id, image_id AS keeper
    FROM stored
    ANTI JOIN going_along USING (source, image_id)
    UNION
    SELECT kept.source, parents.parent_id, kept.keeper
    FROM kept
    JOIN parents ON parents.source = kept.source AND parents.image_id = kept.image_id
)

SELECT kept.source, kept.image_id, kept.keeper
FROM kept
JOIN stored USING (source, image_id)
WHERE kept.keeper = kept.image_id OR NOT (stored.named AND stored.at_once)
UNION ALL
-- records of a damaged store may name each other
SELECT source, image_id, image_id AS keeper
FROM stored
ANTI JOIN kept USING (source, image_id)
ORDER BY source, image_id, keeper;
