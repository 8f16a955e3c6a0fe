-- Question: Which kind of file does a container of the image see at each of these paths?
-- Grain:    one row per visible path; the session holds only one image
-- Params:   $paths  VARCHAR[]  from the root, in printable form
-- Columns:  path  VARCHAR  one of these paths
--           kind  VARCHAR  kind, hard links resolved
--           link  VARCHAR  target of a symlink; null for other kinds
-- Source:   docs/measures.md, "Merged view"
SELECT path, kind, link
FROM visible
WHERE list_contains($paths::VARCHAR[], path)
ORDER BY path, kind, link;
