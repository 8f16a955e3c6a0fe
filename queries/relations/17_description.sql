-- Question: What does each layer hold, whatever its timestamps?
-- Grain:    one row per layer with entries
-- Params:   none
-- Columns:  layer        VARCHAR  key of the layer
--           description  VARCHAR  the same for layers whose entries agree in all but mtimes
-- Source:   MEASURES.md, "the same but for timestamps"
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
