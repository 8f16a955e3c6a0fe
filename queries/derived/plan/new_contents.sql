-- Question: In which class is each content of the new layers now?
-- Grain:    one row per content
-- Params:   none
-- Columns:  class       BIGINT     as in derived/content_place
--           former      BIGINT     its class without the new layers; null if it is new
--           content     UUID       first half of its content hash
--           rest        UUID       its second half
--           size_bytes  BIGINT     logical size
--           copies      BIGINT     files with this content in all layers that are known
--           paths       VARCHAR[]  paths that are kept until now; null if none are
-- Source:   docs/measures.md, "Content hash"; docs/design.md, "What is kept"
--
-- Contents in the same layers are held by the same images: there are far fewer classes than
-- contents. Layers with these copies are compared by two sums over the copies, of random numbers of
-- the layers, of 64 bits each and drawn anew each time, so that nothing in a layer can make two
-- different sets equal.
WITH salts AS MATERIALIZED (
    SELECT uuid()::VARCHAR AS salt
),

draws AS MATERIALIZED (
    SELECT
        layer,
        md5_number_lower(concat_ws(' ', number, (SELECT salt FROM salts))) AS draw,
        md5_number_upper(concat_ws(' ', number, (SELECT salt FROM salts))) AS other_draw
    FROM new_content_layer
),

held AS (
    SELECT entries.content_hash, entries.size_bytes, draws.draw, draws.other_draw
    FROM batch_source AS entries
    JOIN draws USING (layer)
    WHERE entries.kind = 'file' AND entries.size_bytes > 0 AND entries.content_hash IS NOT NULL
),

coded AS MATERIALIZED (
    SELECT
        content_hash[1:16]::UUID AS content,
        any_value(content_hash)[17:32]::UUID AS rest,
        any_value(size_bytes) AS size_bytes,
        count(*) AS copies,
        sum(draw) AS code,
        sum(other_draw) AS other_code
    FROM held
    GROUP BY content
),

formers AS MATERIALIZED (
    SELECT content, max(class) AS class, arg_max(paths, class) AS paths
    FROM kept_content_place
    SEMI JOIN coded USING (content)
    GROUP BY content
),

former_copies AS (
    SELECT class, max(copies) AS copies FROM kept_class_change GROUP BY class
),

placed AS MATERIALIZED (
    SELECT
        coded.* REPLACE (coded.copies + coalesce(former_copies.copies, 0) AS copies),
        formers.class AS former,
        formers.paths
    FROM coded
    LEFT JOIN formers USING (content)
    LEFT JOIN former_copies ON former_copies.class = formers.class
),

-- Contents with most bytes in copies come first, so that a list of these reads few rows.
classes AS MATERIALIZED (
    SELECT
        coalesce(former, 0) AS former,
        code,
        other_code,
        coalesce((SELECT max(class) FROM kept_class_change), 0)
        + row_number() OVER (
            ORDER BY max(size_bytes) * (any_value(copies) - 1) DESC, code, other_code
        ) AS class
    FROM placed
    GROUP BY coalesce(former, 0), code, other_code
)

SELECT
    classes.class,
    placed.former,
    placed.content,
    placed.rest,
    placed.size_bytes,
    placed.copies,
    placed.paths
FROM placed
JOIN classes
    ON classes.code = placed.code
    AND classes.other_code = placed.other_code
    AND classes.former = coalesce(placed.former, 0);
