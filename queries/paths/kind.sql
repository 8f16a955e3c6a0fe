-- Question: What does a container of the image see at each of these paths?
-- Grain:    one row per path that is visible; asked about one image
-- Params:   $paths  VARCHAR[]  from the root, in printable form
-- Columns:  path  VARCHAR  one of them
--           kind  VARCHAR  kind of what is there, hard links resolved
--           link  VARCHAR  target of a symlink
-- Source:   MEASURES.md, "merged view"
SELECT path, kind, link
FROM visible
WHERE list_contains($paths::VARCHAR[], path)
ORDER BY path, kind, link;
