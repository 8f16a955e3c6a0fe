-- Question: What could not be seen of the sources, so that rules about it cannot be judged?
-- Grain:    one row per reason
-- Params:   none
-- Columns:  source       VARCHAR  location
--           is_on_disk   BOOLEAN  whether the bytes on disk are in doubt too, not only what images
--                                 hold
--           reason       VARCHAR  what could not be seen
-- Source:   docs/measures.md, "Unknown orphans", "Rules that cannot judge"
--
-- A document that could not be read may be that of an image, which no other query knows.
SELECT
    source,
    FALSE AS is_on_disk,
    'references could not be read: ' || unseen_references AS reason
FROM scan_sources
WHERE unseen_references IS NOT NULL
ORDER BY source;
