-- Question: Which image follows which in each tag series?
-- Grain:    one row per (tag series, platform, image); incomplete images are left out
-- Params:   none
-- Columns:  series    VARCHAR  repository and tag, with numbers and commits replaced by stars
--           platform  VARCHAR  os/architecture[/variant]; empty if the image names none
--           place     BIGINT   1 is the oldest
--           image_id  VARCHAR  config digest as computed
--           name      VARCHAR  its name in the series; of several the one with the greatest version
-- Source:   docs/usage.md, "dedupe usage"
--
-- Images are ordered by the numbers of the tag, then by creation time, then by image ID. An image
-- with a tag that moves (1.2 beside 1.2.3) has the place of its greatest version; if the moving tag
-- is its only name, it comes before all of 1.2.x.
WITH named AS (
    SELECT
        image_id,
        coalesce(platform, '') AS platform,
        utc_of(created) AS created,
        unnest(names) AS name
    FROM image
    WHERE complete AND NOT is_cache
),

versions AS (
    SELECT *, tag_series_of(name) AS series, version_of(name) AS version FROM named
),

members AS (
    SELECT
        series,
        platform,
        image_id,
        max(version) AS version,
        max((version, name))[2] AS name,
        any_value(created) AS created
    FROM versions
    GROUP BY series, platform, image_id
)

SELECT
    series,
    platform,
    row_number() OVER (
        PARTITION BY series, platform ORDER BY version, created NULLS FIRST, image_id
    ) AS place,
    image_id,
    name
FROM members;
