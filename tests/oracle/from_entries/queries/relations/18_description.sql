-- Question: Which layers hold the same entries, with and without their timestamps?
-- Grain:    one row per layer with entries
-- Params:   none
-- Columns:  layer        VARCHAR  key of the layer
--           description  VARCHAR  equal for layers whose entries agree in all but mtimes
--           exact        VARCHAR  equal for layers whose entries agree in all, mtimes too
-- Source:   docs/measures.md, "The same but for timestamps", "The same but for their encoding"
WITH described AS (
    SELECT
        layer,
        path,
        member,
        mtime_ns,
        concat_ws(
            chr(1), path, kind, hex(content_hash), mode, uid, gid, link, xattrs, device
        ) AS entry
    FROM item
    -- layers of which a quick scan did not read the contents cannot be compared
    WHERE NOT is_listed(layer)
)

SELECT
    layer,
    md5(string_agg(entry, chr(2) ORDER BY path, member)) AS description,
    md5(string_agg(concat(entry, chr(1), mtime_ns), chr(2) ORDER BY path, member)) AS exact
FROM described
GROUP BY layer;
