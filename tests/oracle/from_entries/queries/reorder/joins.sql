-- Question: How many bytes would joining two adjacent layers free, and how many would it cost?
-- Grain:    one row per chain node with a parent. A base that many images share counts once.
--           Layers that were not read are left out
-- Params:   none
-- Columns:  net_bytes       BIGINT   frees - costs: the drop in unpacked_bytes of the scan if only
--                                    this pair is joined; joining is advised if it is positive
--           frees_bytes     BIGINT   files of the lower layer that the upper one hides for good;
--                                    the joined layer leaves them out
--           costs_bytes     BIGINT   content of the lower layer if other images need it as it is:
--                                    it stays, and the joined layer has a copy; else 0
--           images          BIGINT   images that contain both layers
--           other_images    BIGINT   images that contain only the lower layer
--           lower_bytes     BIGINT   content of the lower layer
--           upper_bytes     BIGINT   content of the upper layer
--           lower_position  INTEGER  layer index of the lower one, 0 = base
--           lower_step      VARCHAR  its build step; null if the config gives none
--           upper_step      VARCHAR  build step of the upper one; null if the config gives none
--           image           VARCHAR  name of an image with both
--           lower_chain     VARCHAR  chain ID of the lower layer
--           upper_chain     VARCHAR  chain ID of the upper layer
-- Source:   docs/measures.md, "Unpacked bytes", "Content, live and shadowed bytes"
--
-- Files that a later member of the same layer replaced (superseded) are not counted: repacking that
-- layer alone removes them. Layers above the pair keep their size on their new parent. Each pair is
-- counted as if only it were joined, so figures of pairs with a common layer do not add up.
WITH hidden AS (
    SELECT chain_id, added_chain, sum(size_bytes) AS size_bytes
    FROM shadow
    WHERE chain_id <> added_chain
    GROUP BY chain_id, added_chain
),

pairs AS (
    SELECT
        coalesce(hidden.size_bytes, 0) AS frees_bytes,
        CASE
            WHEN lower_node.images > upper_node.images THEN lower_layer.content_bytes
            ELSE 0
        END AS costs_bytes,
        upper_node.images,
        lower_node.images - upper_node.images AS other_images,
        lower_layer.content_bytes AS lower_bytes,
        upper_layer.content_bytes AS upper_bytes,
        lower_node.position AS lower_position,
        lower_node.created_by AS lower_step,
        upper_node.created_by AS upper_step,
        upper_node.image_id,
        lower_node.chain_id AS lower_chain,
        upper_node.chain_id AS upper_chain
    FROM node AS upper_node
    JOIN node AS lower_node ON lower_node.chain_id = upper_node.parent
    JOIN layers AS lower_layer ON lower_layer.layer = lower_node.layer
    JOIN layers AS upper_layer ON upper_layer.layer = upper_node.layer
    LEFT JOIN hidden
        ON hidden.chain_id = upper_node.chain_id AND hidden.added_chain = lower_node.chain_id
)

SELECT
    (pairs.frees_bytes - pairs.costs_bytes)::BIGINT AS net_bytes,
    pairs.frees_bytes::BIGINT AS frees_bytes,
    pairs.costs_bytes,
    pairs.images,
    pairs.other_images,
    pairs.lower_bytes,
    pairs.upper_bytes,
    pairs.lower_position,
    pairs.lower_step,
    pairs.upper_step,
    image.name AS image,
    pairs.lower_chain,
    pairs.upper_chain
FROM pairs
JOIN image USING (image_id)
ORDER BY net_bytes DESC, pairs.frees_bytes DESC, pairs.upper_chain;
