-- Question: When was each image created, if its date is plausible?
-- Grain:    one row per image; cache images are left out
-- Params:   $now  TIMESTAMP  UTC
-- Columns:  image_id  VARCHAR    config digest as computed
--           name      VARCHAR    name of the image
--           created   VARCHAR    as the config gives it; null if it gives none
--           time      TIMESTAMP  UTC; null if the date is not plausible
--           doubt     VARCHAR    why not: absent, unreadable, before 2013 (no container image is
--                                that old; reproducible builds write 1970 or 1980) or future;
--                                null for a plausible date
-- Source:   OCI image-spec config.md, "Properties"; RFC 3339; docs/usage.md, "dedupe what-if"
WITH dated AS (
    SELECT
        image_id,
        name,
        created,
        utc_of(created) AS time
    FROM image
    WHERE NOT is_cache
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

SELECT image_id, name, created, CASE WHEN doubt IS NULL THEN time END AS time, doubt
FROM judged
ORDER BY time, image_id;
