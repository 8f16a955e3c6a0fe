-- Question: Which layers are stored several times because their copies have different parents?
-- Grain:    one row per copy (chain ID) of a layer that has several; position_loss_bytes add up
--           to the figure of the scan
-- Params:   none
-- Columns:  diff_id        VARCHAR    diff ID as the config claims it
--           created_by     VARCHAR    its build step; null if the config gives none
--           copy           BIGINT     1 is the copy that most images contain
--           copies         BIGINT     number of copies
--           position_loss_bytes  BIGINT  0 for the first copy; else content of the layer
--           position       INTEGER    layer index, 0 = base
--           split_at       INTEGER    lowest position at which the stack below differs from that
--                                     of the first copy; null for the first copy, and if one
--                                     stack contains both
--           split_by       VARCHAR    build step at that position; null if that is the layer
--                                     itself, or the config gives none
--           split_diff_id  VARCHAR    diff ID of the layer at that position; null if that is the
--                                     layer itself
--           images         BIGINT     images that contain it
--           image_names    VARCHAR[]  the first ten of their names, sorted
--           parent         VARCHAR    chain ID below it; null for a base
--           chain_id       VARCHAR    the layer in its place
-- Source:   docs/measures.md, "Position loss"
WITH sized AS (
    SELECT node.*, coalesce(layers.content_bytes, 0) AS content_bytes
    FROM node
    JOIN layers USING (layer)
),

copies AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY layer ORDER BY images DESC, position, chain_id
        ) AS copy,
        count(*) OVER (PARTITION BY layer) AS copies,
        first_value(image_id) OVER (
            PARTITION BY layer ORDER BY images DESC, position, chain_id
        ) AS first_image
    FROM sized
    QUALIFY copies > 1
),

-- Two stacks differ from the lowest position at which their chain IDs differ.
splits AS (
    SELECT copies.chain_id, min(own.position) AS split_at
    FROM copies
    JOIN stack AS own ON own.image_id = copies.image_id AND own.position <= copies.position
    LEFT JOIN stack AS first
        ON first.image_id = copies.first_image
        AND first.position = own.position
    WHERE copies.copy > 1 AND own.chain_id IS DISTINCT FROM first.chain_id
    GROUP BY copies.chain_id
),

holders AS (
    SELECT
        stack.chain_id,
        list_sort(list(image.name)) AS names
    FROM stack
    JOIN image USING (image_id)
    WHERE stack.chain_id IN (SELECT chain_id FROM copies)
    GROUP BY stack.chain_id
)

SELECT
    own.diff_id,
    copies.created_by,
    copies.copy,
    copies.copies,
    CASE WHEN copies.copy = 1 THEN 0 ELSE copies.content_bytes END AS position_loss_bytes,
    copies.position,
    splits.split_at,
    CASE WHEN splits.split_at < copies.position THEN below.created_by END AS split_by,
    CASE WHEN splits.split_at < copies.position THEN below.diff_id END AS split_diff_id,
    copies.images,
    holders.names[1:10] AS image_names,
    copies.parent,
    copies.chain_id
FROM copies
JOIN stack AS own ON own.image_id = copies.image_id AND own.position = copies.position
JOIN holders ON holders.chain_id = copies.chain_id
LEFT JOIN splits ON splits.chain_id = copies.chain_id
LEFT JOIN stack AS below ON below.image_id = copies.image_id AND below.position = splits.split_at
ORDER BY
    copies.content_bytes * (copies.copies - 1) DESC,
    copies.layer,
    copies.copy;
