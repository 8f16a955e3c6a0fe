-- Question: Which are the largest files of each new layer, up to a tenth of its bytes?
-- Grain:    one row per file (layer, path); layers that a quick scan listed have none
-- Params:   none
-- Columns:  rows_id  UUID    the layer's rows
--           file     UUID    equal for files that the relation overlap takes for one
--           bytes    BIGINT  of all files of the layer that it compares
-- Source:   docs/measures.md, "Step order"
--
-- Two layers with nine tenths of their bytes in common have one of these files in common. All files
-- before the first common one, in one order of all files, are in one of the layers only, so they
-- have at most a tenth of its bytes. The order is by size: so these are the fewest files.
WITH cached AS (
    SELECT rows_id, member FROM new_layer_noted WHERE cache IS NOT NULL
),

files AS (
    SELECT
        new_layer.rows_id,
        item.path,
        item.size_bytes,
        concat_ws(' ', item.mode, item.uid, item.gid) AS owner,
        CASE WHEN NOT ends_with(item.path, '.pyc') THEN item.content_hash END AS content_hash
    FROM item
    JOIN new_layer USING (layer)
    ANTI JOIN cached ON cached.rows_id = new_layer.rows_id AND cached.member = item.member
    WHERE
        item.kind = 'file'
        AND item.size_bytes > 0
        AND item.taken_by IS NULL
        AND NOT new_layer.is_listed
),

sums AS (
    SELECT rows_id, sum(size_bytes)::BIGINT AS bytes, count(*) AS files
    FROM files
    GROUP BY rows_id
),

-- Files of less than 0.8 times the mean have less than 0.8 of all bytes: those left are enough.
larger AS (
    SELECT files.*, sums.bytes
    FROM files
    JOIN sums USING (rows_id)
    WHERE files.size_bytes >= 0.8 * sums.bytes / sums.files
),

ordered AS (
    SELECT
        *,
        sum(size_bytes) OVER (
            PARTITION BY rows_id
            ORDER BY size_bytes DESC, path, owner, content_hash
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS larger_bytes
    FROM larger
)

SELECT
    rows_id,
    digest_of(
        concat_ws(chr(1), path, size_bytes, owner, coalesce(hex(content_hash), ''))
    )::UUID AS file,
    bytes
FROM ordered
WHERE coalesce(larger_bytes, 0) * 10 <= bytes
ORDER BY rows_id, file;
