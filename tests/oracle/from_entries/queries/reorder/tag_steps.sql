-- Question: Which image followed which in each tag series, and how many bytes were pulled for it?
-- Grain:    one row per (tag series, platform, two consecutive images); incomplete images are left
--           out
-- Params:   none
-- Columns:  series          VARCHAR  repository and tag, with numbers and commits replaced by stars
--           platform        VARCHAR  os/architecture[/variant]; empty if the image names none
--           step            BIGINT   1 leads from the oldest image to the next
--           from_image      VARCHAR  config digest of the older image
--           to_image        VARCHAR  config digest of the newer image
--           from_name       VARCHAR  its name in the series
--           to_name         VARCHAR  its name in the series
--           to_bytes        BIGINT   content of the newer image's layers, each layer once
--           download_bytes  BIGINT   of these, layers that the older image lacks
-- Source:   docs/usage.md, "dedupe usage"; docs/measures.md, "Proposals and their gain"
--
-- Bytes are uncompressed. The position of a layer does not matter, because a registry serves a
-- layer whatever its position.
WITH steps AS (
    SELECT
        series,
        platform,
        place - 1 AS step,
        lag(image_id) OVER series_order AS from_image,
        image_id AS to_image,
        lag(name) OVER series_order AS from_name,
        name AS to_name
    FROM tag_place
    WINDOW series_order AS (PARTITION BY series, platform ORDER BY place)
    QUALIFY from_image IS NOT NULL
),

held AS (
    SELECT DISTINCT stack.image_id, stack.layer, layers.content_bytes
    FROM stack
    JOIN layers USING (layer)
),

pulled AS (
    SELECT
        steps.from_image,
        steps.to_image,
        sum(newer.content_bytes) AS to_bytes,
        sum(newer.content_bytes) FILTER (WHERE older.layer IS NULL) AS download_bytes
    FROM (SELECT DISTINCT from_image, to_image FROM steps) AS steps
    JOIN held AS newer ON newer.image_id = steps.to_image
    LEFT JOIN held AS older
        ON older.image_id = steps.from_image AND older.layer = newer.layer
    GROUP BY steps.from_image, steps.to_image
)

SELECT
    steps.*,
    coalesce(pulled.to_bytes, 0)::BIGINT AS to_bytes,
    coalesce(pulled.download_bytes, 0)::BIGINT AS download_bytes
FROM steps
LEFT JOIN pulled USING (from_image, to_image)
ORDER BY steps.series, steps.platform, steps.step;
