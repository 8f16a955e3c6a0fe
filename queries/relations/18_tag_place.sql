-- Question: Which image follows which in each tag series?
-- Grain:    one row per (tag series, platform, image); incomplete images are left out
-- Params:   none
-- Columns:  series    VARCHAR  repository and tag, its numbers and commits cut to stars
--           platform  VARCHAR  os/architecture[/variant]; empty where none is said
--           place     BIGINT   1 is the oldest
--           image_id  VARCHAR  config digest as computed
--           name      VARCHAR  its name there; of several the one with the greatest version
-- Source:   docs/accounting.md, "tag-series". Ordered by the numbers of the tag, then by creation,
--           then by image ID: a tag that moves (1.2 beside 1.2.3) stands at its image's greatest
--           version, and before all 1.2.x where it is that image's only name
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

standing AS (
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
FROM standing;
