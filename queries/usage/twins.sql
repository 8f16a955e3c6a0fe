-- Question: Which images hold nearly the same contents but share few layers?
-- Grain:    one row per pair of images that is similar enough and would gain enough
-- Params:   $similarity  DOUBLE   least weighted Jaccard similarity of their contents, 0 to 1
--           $gain_bytes  BIGINT   least gain
--           $widest      INTEGER  contents that more images hold propose pairs with their first
--                                 holder only
-- Columns:  image          VARCHAR  for people
--           twin           VARCHAR  the other one
--           similarity     DOUBLE   bytes of contents that both hold / that either holds
--           common_bytes   BIGINT   distinct contents that both hold
--           sharing_bytes  BIGINT   of these, contents in layers that both run through
--           gain_bytes     BIGINT   common - sharing: what both would share on a common base
--           shared_layers  BIGINT   layers that both run through
--           image_id       VARCHAR  config digest as computed
--           twin_id        VARCHAR  that of the other
-- Source:   MEASURES.md, "content"; contents are those of all layers, live or not
--
-- How the cost grows: files are compared once, by their hash, into classes of contents that the
-- same images hold (unit_class). Pairs come from classes: a class of k images proposes k(k - 1)/2
-- pairs up to $widest images and k - 1 above, so the work grows with classes times $widest², never
-- with the square of files. What a proposed pair has in common is summed over all classes, wide
-- ones too. A pair is missed only where all that it shares is held by more than $widest images,
-- and neither of the two is the first of them.
WITH numbered AS (
    SELECT images, bytes, row_number() OVER (ORDER BY images) AS class
    FROM unit_class
    WHERE granularity = 'content' AND bytes > 0
),

held AS (
    SELECT class, bytes, unnest(images) AS image_id, generate_subscripts(images, 1) AS place
    FROM numbered
),

sizes AS (
    SELECT image_id, sum(bytes) AS bytes FROM held GROUP BY image_id
),

narrow AS (
    SELECT held.*
    FROM held
    JOIN numbered USING (class)
    WHERE len(numbered.images) BETWEEN 2 AND $widest::INTEGER
),

narrow_common AS (
    SELECT one.image_id, other.image_id AS twin_id, sum(one.bytes) AS bytes
    FROM narrow AS one
    JOIN narrow AS other ON other.class = one.class AND other.place > one.place
    GROUP BY one.image_id, other.image_id
),

wide AS (
    SELECT held.*
    FROM held
    JOIN numbered USING (class)
    WHERE len(numbered.images) > $widest::INTEGER
),

proposed AS (
    SELECT image_id, twin_id FROM narrow_common
    UNION
    SELECT one.image_id, other.image_id AS twin_id
    FROM wide AS one
    JOIN wide AS other ON other.class = one.class AND one.place = 1 AND other.place > 1
),

-- what both hold is at most what the smaller holds: most pairs go before wide classes are summed
likely AS (
    SELECT proposed.*
    FROM proposed
    JOIN sizes AS one USING (image_id)
    JOIN sizes AS other ON other.image_id = proposed.twin_id
    WHERE least(one.bytes, other.bytes) >= $similarity::DOUBLE * greatest(one.bytes, other.bytes)
),

wide_common AS (
    SELECT likely.image_id, likely.twin_id, sum(one.bytes) AS bytes
    FROM likely
    JOIN wide AS one USING (image_id)
    JOIN wide AS other ON other.image_id = likely.twin_id AND other.class = one.class
    GROUP BY likely.image_id, likely.twin_id
),

compared AS (
    SELECT
        likely.image_id,
        likely.twin_id,
        coalesce(narrow_common.bytes, 0) + coalesce(wide_common.bytes, 0) AS common,
        one.bytes + other.bytes AS summed
    FROM likely
    JOIN sizes AS one USING (image_id)
    JOIN sizes AS other ON other.image_id = likely.twin_id
    LEFT JOIN narrow_common USING (image_id, twin_id)
    LEFT JOIN wide_common USING (image_id, twin_id)
),

similar_pairs AS (
    SELECT *, common::DOUBLE / (summed - common) AS similarity
    FROM compared
    WHERE common >= $similarity::DOUBLE * (summed - common)
),

-- chains that both run through are a prefix of both
prefixes AS (
    SELECT
        similar_pairs.image_id,
        similar_pairs.twin_id,
        count(*) AS shared_layers,
        arg_max(one.chain_id, one.position) AS chain_id
    FROM similar_pairs
    JOIN stack AS one USING (image_id)
    JOIN stack AS other ON other.image_id = similar_pairs.twin_id AND other.chain_id = one.chain_id
    GROUP BY similar_pairs.image_id, similar_pairs.twin_id
),

prefix_layers AS (
    SELECT DISTINCT tops.chain_id, coalesce(above.below_layer, node.layer) AS layer
    FROM (SELECT DISTINCT chain_id FROM prefixes) AS tops
    JOIN node USING (chain_id)
    LEFT JOIN above USING (chain_id)
    UNION
    SELECT prefixes.chain_id, node.layer FROM prefixes JOIN node USING (chain_id)
),

prefix_contents AS (
    SELECT chain_id, sum(size_bytes) AS bytes
    FROM (
        SELECT DISTINCT prefix_layers.chain_id, item.content_hash, item.size_bytes
        FROM prefix_layers
        JOIN item USING (layer)
        WHERE item.kind = 'file'
    ) AS distinct_contents
    GROUP BY chain_id
),

labels AS (
    SELECT image_id, coalesce(names[1], digest, image_id) AS name FROM image
),

gains AS (
    SELECT
        similar_pairs.*,
        coalesce(prefix_contents.bytes, 0) AS sharing,
        coalesce(prefixes.shared_layers, 0) AS shared_layers
    FROM similar_pairs
    LEFT JOIN prefixes USING (image_id, twin_id)
    LEFT JOIN prefix_contents USING (chain_id)
)

SELECT
    labels.name AS image,
    twins.name AS twin,
    gains.similarity,
    gains.common::BIGINT AS common_bytes,
    gains.sharing::BIGINT AS sharing_bytes,
    (gains.common - gains.sharing)::BIGINT AS gain_bytes,
    gains.shared_layers,
    gains.image_id,
    gains.twin_id
FROM gains
JOIN labels USING (image_id)
JOIN labels AS twins ON twins.image_id = gains.twin_id
WHERE gains.common - gains.sharing >= $gain_bytes::BIGINT
ORDER BY gain_bytes DESC, gains.image_id, gains.twin_id;
