-- Question: Which layers hold the same entries, apart from timestamps?
-- Grain:    one row per layer with entries
-- Params:   none
-- Columns:  layer        VARCHAR  key of the layer
--           description  VARCHAR  equal for layers whose entries agree in all but mtimes
-- Source:   docs/measures.md, "The same but for timestamps"
SELECT
    layer,
    md5(
        string_agg(
            concat_ws(
                chr(1), path, kind, hex(content_hash), mode, uid, gid, link, xattrs, device
            ),
            chr(2) ORDER BY path, member
        )
    ) AS description
FROM item
GROUP BY layer;
