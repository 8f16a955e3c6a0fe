-- Question: When was each image created, as far as its date can be believed?
-- Grain:    one row per image; cache images are left out
-- Params:   $now  TIMESTAMP  UTC
-- Columns:  image_id  VARCHAR    config digest as computed
--           name      VARCHAR    for people
--           created   VARCHAR    as the config says
--           time      TIMESTAMP  UTC; null where the date is not believed
--           doubt     VARCHAR    why it is not: absent, unreadable, before 2013 (no container
--                                image is that old: reproducible builds write 1970 or 1980), or
--                                future; else null
-- Source:   image-spec config.md, "created"; RFC 3339
WITH dated AS (
    SELECT
        image_id,
        coalesce(names[1], digest, image_id) AS name,
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
            -- clocks differ, and configs have zones
            WHEN time > $now::TIMESTAMP + INTERVAL 1 DAY THEN 'future'
        END AS doubt
    FROM dated
)

SELECT image_id, name, created, CASE WHEN doubt IS NULL THEN time END AS time, doubt
FROM judged
ORDER BY time, image_id;
