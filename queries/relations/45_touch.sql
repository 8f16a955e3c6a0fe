-- Question: Which paths does each layer name, and in which role?
-- Grain:    one row per (layer, path, role, look)
-- Params:   none
-- Columns:  layer     VARCHAR  key of the layer
--           path      VARCHAR  the path; for a mark, the path that it hides
--           role      VARCHAR  directory, whiteout, opaque, target (of a hard link), header (a
--                              global header, which some unpackers make room for) or other
--           look      VARCHAR  mode, owner and xattrs of a directory; else null
--           mtime_ns  BIGINT   mtime of a directory; else null
-- Source:   docs/measures.md, "Layers that commute", "Orders and unpackers"
SELECT DISTINCT
    layer,
    path,
    CASE WHEN kind = 'directory' OR is_mark(kind) THEN kind ELSE 'other' END AS role,
    CASE WHEN kind = 'directory' THEN concat_ws(' ', mode, uid, gid, xattrs) END AS look,
    CASE WHEN kind = 'directory' THEN mtime_ns END AS mtime_ns
FROM item
UNION
SELECT layer, link, 'target', NULL, NULL
FROM item
WHERE kind = 'hardlink' AND link IS NOT NULL
UNION
-- The relation item leaves out ignored entries.
SELECT layer_rows.layer, kept.path, 'header', NULL, NULL
FROM kept_layer_flagged AS kept
JOIN layer_rows USING (rows_id)
WHERE
    kept.kind = 'ignored'
    AND list_contains(string_split(kept.flags, ','), 'pax-global-header')
    AND layer_rows.layer IN (SELECT layer FROM node);
