-- Question: When was each image created, if its date is plausible, and which options choose it?
-- Grain:    one row per image; cache images that are deleted along with another are left out
-- Params:   $now  TIMESTAMP  UTC
-- Columns:  image_id  VARCHAR    config digest as computed
--           name      VARCHAR    name of the image
--           created   VARCHAR    as the config gives it; null if it gives none
--           time      TIMESTAMP  UTC; null if the date is not plausible
--           doubt     VARCHAR    why not: absent, unreadable, before 2013 (no container image is
--                                that old; reproducible builds write 1970 or 1980) or future;
--                                null for a plausible date
--           dangling  BOOLEAN    it has no tag in any source, and is not the recorded parent of
--                                another image
--           untagged  BOOLEAN    it is in a registry, and has no tag in any source
--           unused    BOOLEAN    no container was made from it
-- Source:   OCI image-spec config.md, "Properties"; RFC 3339; docs/usage.md, "dedupe what-if"
WITH stored AS (
    SELECT DISTINCT scan_images.source, scan_images.image_id, scan_sources.kind
    FROM scan_images
    JOIN scan_sources USING (source)
    WHERE scan_images.kind = 'image'
),

parents AS (
    SELECT DISTINCT scan_images.parent_id AS image_id
    FROM scan_images
    JOIN stored
        ON stored.source = scan_images.source AND stored.image_id = scan_images.parent_id
    WHERE scan_images.image_id <> scan_images.parent_id
),

in_registry AS (
    SELECT DISTINCT image_id FROM stored WHERE kind = 'registry'
),

dated AS (
    SELECT
        image.image_id,
        image.name,
        image.created,
        image.is_cache,
        utc_of(image.created) AS time,
        len(tags_in(image.names)) = 0 AS tagless,
        image.image_id IN (SELECT image_id FROM parents) AS is_parent,
        image.image_id IN (SELECT image_id FROM in_registry) AS is_in_registry
    FROM image
),

judged AS (
    SELECT
        *,
        CASE
            WHEN coalesce(created, '') = '' THEN 'absent'
            WHEN time IS NULL THEN 'unreadable'
            WHEN time < TIMESTAMP '2013-01-01' THEN 'before 2013'
            -- A day of tolerance, because clocks differ.
            WHEN time > $now::TIMESTAMP + INTERVAL 1 DAY THEN 'future'
        END AS doubt
    FROM dated
)

SELECT
    image_id,
    name,
    created,
    CASE WHEN doubt IS NULL THEN time END AS time,
    doubt,
    tagless AND NOT is_parent AS dangling,
    tagless AND is_in_registry AS untagged,
    NOT EXISTS (
        SELECT 1 FROM scan_containers WHERE scan_containers.image_id = judged.image_id
    ) AS unused
FROM judged
WHERE NOT (is_cache AND is_parent)
ORDER BY time, image_id;
