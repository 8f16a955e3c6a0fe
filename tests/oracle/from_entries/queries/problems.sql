-- Question: Which things were skipped, could not be verified, or are read differently by other
--           tools?
-- Grain:    one row per problem; a blob that several images need has one
-- Params:   none
-- Columns:  source    VARCHAR  location
--           subject   VARCHAR  image, layer or file with the problem
--           code      VARCHAR  stable, documented in docs/problems.md
--           message   VARCHAR  what was expected and found
--           severity  VARCHAR  error or note
--           images    VARCHAR[]  names of the images that it concerns, sorted; empty if it is not
--                                about a blob
-- Source:   docs/problems.md; docs/measures.md, "What unpackers do"
SELECT source, subject, code, message, severity, coalesce(images, []) AS images
FROM scan_problems
UNION ALL
SELECT
    '' AS source,
    layers.diff_id AS subject,
    'entry-flagged' AS code,
    divergence_text(entries.flags, entries.path) AS message,
    'note' AS severity,
    [] AS images
FROM entries
JOIN layers USING (layer)
-- This reads entries, because item leaves out ignored entries, which have flags too.
WHERE entries.flags IS NOT NULL AND entries.layer IN (SELECT layer FROM node)
UNION ALL
SELECT
    '' AS source,
    layers.diff_id AS subject,
    'entry-flagged' AS code,
    divergence_text(divergence.case_name, divergence.path) AS message,
    'note' AS severity,
    [] AS images
FROM divergence
JOIN layers USING (layer)
UNION ALL
SELECT
    scan_containers.source,
    scan_containers.container_id AS subject,
    'overlay-metacopy' AS code,
    coalesce(any_value(scan_containers.name), scan_containers.container_id)
    || ': overlay keeps only the new metadata of '
    || count(*) || ' files, the first is ' || min(entries.path)
    || ': they count as 0 bytes, and their content is that of the image' AS message,
    'note' AS severity,
    [] AS images
FROM scan_containers
JOIN entries USING (layer)
WHERE contains(entries.flags, 'overlay-metacopy')
GROUP BY scan_containers.source, scan_containers.container_id
UNION ALL
SELECT
    scan_containers.source,
    scan_containers.container_id AS subject,
    'overlay-redirect' AS code,
    coalesce(any_value(scan_containers.name), scan_containers.container_id)
    || ': overlay shows what the image has below a former name of '
    || count(*) || ' entries, the first is '
    || min(entries.path) || ': here these files count as hidden' AS message,
    'note' AS severity,
    [] AS images
FROM scan_containers
JOIN entries USING (layer)
WHERE contains(entries.flags, 'overlay-redirect')
GROUP BY scan_containers.source, scan_containers.container_id
UNION ALL
SELECT
    '' AS source,
    layers.diff_id AS subject,
    'older-reader' AS code,
    'an older version read this layer, without following its links: scan it again' AS message,
    'note' AS severity,
    [] AS images
FROM layers
WHERE reader < 2 AND layer IN (SELECT layer FROM node)
UNION ALL
SELECT
    '' AS source,
    coalesce(layers.diff_id, lower_link.chain_id) AS subject,
    'dangling-hard-link' AS code,
    lower_link.path || ' links to ' || lower_link.lower_path || ', which is not there' AS message,
    'note' AS severity,
    [] AS images
FROM lower_link
JOIN node USING (chain_id)
LEFT JOIN layers USING (layer)
WHERE lower_link.end_kind IS NULL
UNION ALL
SELECT
    '' AS source,
    layers.diff_id AS subject,
    'dangling-hard-link' AS code,
    link.path || ' links to ' || item.link || ', which is a folder' AS message,
    'note' AS severity,
    [] AS images
FROM link
JOIN item USING (layer, member)
JOIN layers USING (layer)
WHERE link.end_kind = 'directory'
ORDER BY severity, source, subject, code, message;
