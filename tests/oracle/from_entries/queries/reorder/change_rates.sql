-- Question: How often did each layer of an image change from one tag to the next, by its own step?
-- Grain:    one row per (image, position); cache images are left out
-- Params:   none
-- Columns:  image_id     VARCHAR  config digest as computed
--           position     INTEGER  layer index, 0 = base
--           layer        VARCHAR  key of the layer's rows; else its diff ID as claimed
--           changes      BIGINT   transitions at which the step made another layer; null if a
--                                 quick scan read no contents to compare
--           transitions  BIGINT   transitions from one tag of the series to the next, if the next
--                                 has this build step; 0 for an image without a series
--           rate         DOUBLE   (changes + 1/2) / (transitions + 1); 1/2 without any transition;
--                                 null if changes is
-- Source:   docs/measures.md, "Proposals and their gain"
--
-- The series of an image is its tag series, on its platform, with the most images; of several the
-- first by name. The relation tag_place orders it. A layer is compared with the layer of the
-- previous tag that has the same build step, numbers and hashes aside; the n-th of equal steps,
-- counted from the base, is compared with the n-th. Steps without text are compared in the same
-- way. A layer changed if the two are of different classes (relation layer_class: a step that ran
-- again only because a lower layer changed is of the same class), or if the previous tag has no
-- such step. All images of a series have the same figures for the same step.
WITH lengths AS (
    SELECT series, platform, count(*) AS images FROM tag_place GROUP BY series, platform
),

image_series AS (
    SELECT
        tag_place.image_id,
        tag_place.platform,
        arg_min(tag_place.series, (-lengths.images, tag_place.series)) AS series
    FROM tag_place
    JOIN lengths USING (series, platform)
    GROUP BY tag_place.image_id, tag_place.platform
),

texts AS (
    SELECT
        stack.image_id,
        stack.position,
        coalesce(stack.layer, stack.diff_id) AS layer,
        step_series_of(stack.created_by) AS text,
        coalesce(layer_class.class, '') AS class
    FROM stack
    LEFT JOIN layer_class USING (layer)
),

steps AS (
    SELECT
        *, row_number() OVER (PARTITION BY image_id, text ORDER BY position) AS nth
    FROM texts
),

placed AS (
    SELECT tag_place.series, tag_place.platform, tag_place.place, steps.*
    FROM tag_place
    JOIN steps USING (image_id)
),

counted AS (
    SELECT
        later.series,
        later.platform,
        later.text,
        later.nth,
        count(*) AS transitions,
        count(*) FILTER (WHERE earlier.class IS DISTINCT FROM later.class) AS changes,
        bool_or(
            earlier.layer <> later.layer AND (is_listed(earlier.layer) OR is_listed(later.layer))
        ) AS is_unknown
    FROM placed AS later
    LEFT JOIN placed AS earlier
        ON earlier.series = later.series
        AND earlier.platform = later.platform
        AND earlier.place = later.place - 1
        AND earlier.text = later.text
        AND earlier.nth = later.nth
    WHERE later.place > 1
    GROUP BY later.series, later.platform, later.text, later.nth
)

SELECT
    steps.image_id,
    steps.position,
    steps.layer,
    if(counted.is_unknown, NULL, coalesce(counted.changes, 0)) AS changes,
    coalesce(counted.transitions, 0) AS transitions,
    if(
        counted.is_unknown,
        NULL,
        (coalesce(counted.changes, 0) + 0.5::DOUBLE) / (coalesce(counted.transitions, 0) + 1)
    ) AS rate
FROM steps
LEFT JOIN image_series USING (image_id)
LEFT JOIN counted
    ON counted.series = image_series.series
    AND counted.platform = image_series.platform
    AND counted.text = steps.text
    AND counted.nth = steps.nth
ORDER BY steps.image_id, steps.position;
