-- Question: Which pairs of images hold nearly the same contents but share few layers?
-- Grain:    one row per pair of images with at least this similarity and gain
-- Params:   $similarity  DOUBLE   minimum weighted Jaccard similarity of their contents, 0 to 1
--           $gain_bytes  BIGINT   minimum gain
--           $widest      INTEGER  a content in more images than this proposes only pairs with
--                                 its first holder
-- Columns:  image          VARCHAR  name of the image
--           twin           VARCHAR  name of the other image
--           similarity     DOUBLE   bytes of contents that both hold / bytes that either holds
--           common_bytes   BIGINT   distinct contents that both hold
--           sharing_bytes  BIGINT   of these, contents in chain nodes that both contain
--           gain_bytes     BIGINT   common - sharing: what both would share on a common base
--           shared_layers  BIGINT   chain nodes that both contain
--           image_id       VARCHAR  config digest as computed
--           twin_id        VARCHAR  config digest of the other image
-- Source:   docs/measures.md, "Content hash"; docs/usage.md, "dedupe twins"
--
-- The contents of an image are those of all its layers, live or not.
--
-- How the cost grows: files are grouped once, by their hash, into classes of contents that the same
-- images hold (relation unit_class). A class of k images proposes k(k - 1)/2 pairs if k is at most
-- the parameter widest, and k - 1 pairs if it is more. So the work grows with the number of classes
-- times the square of widest, never with the square of the number of files. The common bytes of a
-- proposed pair are summed over all classes. A pair is missed only if more than widest images hold
-- each of its common contents, and neither of the two is the first of those images.
WITH numbered AS (
    SELECT spans, holders, bytes, row_number() OVER () AS class
    FROM unit_class
    WHERE granularity = 'content' AND bytes > 0
),

spread AS (
    SELECT class, bytes, holders, unnest(spans) AS span FROM numbered WHERE holders > 1
),

held AS (
    SELECT spread.class, spread.bytes, spread.holders, holder.holder AS image_id
    FROM (
        SELECT class, bytes, holders, unnest(range(span['first'], span['last'] + 1)) AS number
        FROM spread
    ) AS spread
    JOIN holder USING (number)
),

sizes AS (
    SELECT image_id, referenced_bytes AS bytes FROM share WHERE granularity = 'content'
),

narrow AS (
    SELECT class, bytes, image_id FROM held WHERE holders <= $widest::INTEGER
),

narrow_common AS (
    SELECT one.image_id, other.image_id AS twin_id, sum(one.bytes) AS bytes
    FROM narrow AS one
    JOIN narrow AS other ON other.class = one.class AND other.image_id > one.image_id
    GROUP BY one.image_id, other.image_id
),

wide AS (
    SELECT class, bytes, image_id FROM held WHERE holders > $widest::INTEGER
),

firsts AS (
    SELECT class, min(image_id) AS image_id FROM wide GROUP BY class
),

proposed AS (
    SELECT image_id, twin_id FROM narrow_common
    UNION
    SELECT one.image_id, other.image_id AS twin_id
    FROM firsts AS one
    JOIN wide AS other ON other.class = one.class AND other.image_id > one.image_id
),

-- Two images cannot have more in common than the smaller one holds. This drops most pairs before
-- the costly sums over wide classes.
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

-- Chain nodes that both images contain are the lowest layers of both.
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
    image.name AS image,
    twin_image.name AS twin,
    gains.similarity,
    gains.common::BIGINT AS common_bytes,
    gains.sharing::BIGINT AS sharing_bytes,
    (gains.common - gains.sharing)::BIGINT AS gain_bytes,
    gains.shared_layers,
    gains.image_id,
    gains.twin_id
FROM gains
JOIN image USING (image_id)
JOIN image AS twin_image ON twin_image.image_id = gains.twin_id
WHERE gains.common - gains.sharing >= $gain_bytes::BIGINT
ORDER BY gain_bytes DESC, gains.image_id, gains.twin_id;
