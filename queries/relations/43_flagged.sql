-- Question: Which paths of each layer do unpackers or readers treat in different ways?
-- Grain:    one row per (layer, path)
-- Params:   none
-- Columns:  layer  VARCHAR  key of the layer
--           path   VARCHAR  the path
--           flags  VARCHAR  the cases, comma-separated
-- Source:   docs/catalog.md, "Where stores differ"
WITH cases AS (
    SELECT layer_rows.layer, kept.path, unnest(string_split(kept.flags, ',')) AS case_name
    FROM kept_layer_flagged AS kept
    JOIN layer_rows USING (rows_id)
    WHERE kept.kind <> 'ignored' AND layer_rows.layer IN (SELECT layer FROM node)
    UNION
    SELECT layer, path, case_name FROM divergence
)

SELECT layer, path, string_agg(case_name, ',' ORDER BY case_name) AS flags
FROM cases
GROUP BY layer, path;
