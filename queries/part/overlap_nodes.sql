-- Question: Which chain nodes have the layers that can hold nearly the same files as another layer?
-- Grain:    one row per such layer, with its first chain ID
-- Params:   none
-- Columns:  as 03_node
-- Source:   docs/measures.md, "Step order"; docs/design.md, "What is kept"
--
-- Two layers that hold nearly the same files have one of their largest files in common
-- (derived/layer_largest), and nearly the same bytes. Of layers that are the same but for
-- timestamps or encoding, the first stands for all: they hold the same files.
WITH repeated AS (
    SELECT layer
    FROM description
    QUALIFY row_number() OVER (PARTITION BY description ORDER BY layer) > 1
),

largest AS (
    SELECT layer_rows.layer, kept.file, kept.bytes
    FROM kept_layer_largest AS kept
    JOIN layer_rows USING (rows_id)
    SEMI JOIN node USING (layer)
    ANTI JOIN repeated USING (layer)
),

-- The relation overlap does not compare files that more layers hold.
held AS (
    SELECT file FROM largest GROUP BY file HAVING count(*) BETWEEN 2 AND 64
),

likely AS (
    SELECT one.layer, other.layer AS other_layer
    FROM largest AS one
    JOIN largest AS other USING (file)
    WHERE
        one.file IN (SELECT file FROM held)
        AND one.layer < other.layer
        AND 10 * least(one.bytes, other.bytes) >= 9 * greatest(one.bytes, other.bytes)
),

chosen AS (
    SELECT layer FROM likely
    UNION
    SELECT other_layer FROM likely
)

SELECT * FROM node WHERE is_first AND layer IN (SELECT layer FROM chosen);
