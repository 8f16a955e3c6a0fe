-- Question: What could not be seen of the sources, so that rules about it cannot be judged?
-- Grain:    one row per source and reason
-- Params:   none
-- Columns:  source      VARCHAR  location, or a place where nothing was found
--           is_on_disk  BOOLEAN  the bytes on disk are in doubt too, not only what images hold
--           reason      VARCHAR  what could not be seen
-- Source:   docs/measures.md, "Unknown orphans", "Rules that cannot judge", "Which scans answer"
--
-- A document that could not be read may be that of an image, which no other query knows. Folders of
-- blobs and caches of builders have no such documents: only their unreferenced bytes are unknown.
SELECT
    source,
    FALSE AS is_on_disk,
    'references could not be read: ' || unseen_references AS reason
FROM scan_sources
WHERE unseen_references IS NOT NULL AND coalesce(names_images, TRUE)
UNION ALL
SELECT
    source,
    TRUE AS is_on_disk,
    'stale: the scan of ' || utc_text(stale_since) || ' could not read it' AS reason
FROM view_source
WHERE stale_since IS NOT NULL
UNION ALL
SELECT place, TRUE AS is_on_disk, 'the last scan found nothing here (' || code || ')' AS reason
FROM failed_place
ORDER BY source, reason;
