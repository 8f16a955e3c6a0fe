-- Question: Which layers do images reference, what do they hold, and how many images share each?
-- Grain:    one row per distinct layer that some image references
-- Params:   none
-- Columns:  diff_id        VARCHAR    as computed; as the config claims it if it was not read; null
--                                     if that is not known either
--           verified       VARCHAR    how far the diff ID is proven: blob, diffid, rebuild, none;
--                                     null if it was not read, or listed by a quick scan
--           blobs          STRUCT(digest VARCHAR, compressed_bytes BIGINT)[]  as stored, in
--                                     every compression
--           content_bytes  BIGINT     logical size of its regular files; null if it was not read
--           allocated_bytes  BIGINT   allocated by file systems for its unpacked copies; null if
--                                     none
--           entries        BIGINT     number of entries; null if it was not read
--           images         BIGINT     images that hold it
--           chains         BIGINT     distinct chain IDs, that is, unpacked copies
--           created_by     VARCHAR[]  build steps that made it
-- Source:   docs/measures.md, "Layer and diff ID", "Chain ID",
--           "Incomplete images"
WITH blobs AS (
    SELECT
        coalesce(layer, diff_id) AS key,
        list_sort(
            list(DISTINCT struct_pack(digest := blob, compressed_bytes := compressed_bytes))
        ) AS blobs
    FROM scan_image_layers
    WHERE blob IS NOT NULL AND compressed_bytes IS NOT NULL
    GROUP BY key
),

copies AS (
    SELECT DISTINCT source, chain_id, layer, allocated_bytes
    FROM scan_image_layers
    WHERE layer IS NOT NULL AND allocated_bytes IS NOT NULL
),

unpacked AS (
    SELECT layer, sum(allocated_bytes)::BIGINT AS allocated_bytes FROM copies GROUP BY layer
),

placed AS (
    SELECT
        layer,
        min(diff_id) AS diff_id,
        count(DISTINCT image_id) AS images,
        count(DISTINCT chain_id) AS chains,
        list_sort(list(DISTINCT created_by) FILTER (WHERE created_by IS NOT NULL)) AS created_by
    FROM stack
    GROUP BY layer, if(layer IS NULL, coalesce(diff_id, chain_id), NULL)
)

SELECT
    coalesce(layers.diff_id, placed.diff_id) AS diff_id,
    CASE WHEN NOT is_listed(placed.layer) THEN layers.verified END AS verified,
    coalesce(blobs.blobs, []) AS blobs,
    layers.content_bytes,
    unpacked.allocated_bytes,
    layers.entries,
    placed.images,
    placed.chains,
    coalesce(placed.created_by, []) AS created_by
FROM placed
LEFT JOIN layers USING (layer)
LEFT JOIN blobs ON blobs.key = coalesce(placed.layer, placed.diff_id)
LEFT JOIN unpacked USING (layer)
ORDER BY layers.content_bytes DESC NULLS LAST, diff_id, placed.layer;
