-- Question: Which entries of a batch can matter for what another layer hides or for what unpackers
--           treat in different ways?
-- Grain:    one row per entry (layer, member)
-- Params:   none
-- Columns:  number  INTEGER  the layer
--           member  INTEGER  the entry
-- Source:   docs/design.md, "What is kept"; docs/measures.md, "What hides a file"
--
-- Most entries are in directories that no other layer of their chains has: nothing hides them, and
-- they hide nothing. These are left out, and so few remain that all else costs little. An entry
-- that is here without need costs time only.
--
-- What is not a plain directory may hide, or be treated in another way, all that is below its path:
-- in layers above and below it, and in its own.
WITH met AS (
    SELECT batch_entry.*
    FROM batch_entry
    SEMI JOIN batch_meeting USING (number, folder_id)
),

special AS (
    SELECT number, path_id
    FROM met
    WHERE NOT is_plain AND path_id IN (SELECT folder_id FROM batch_folder)
),

own_special AS (
    SELECT number, path_id
    FROM batch_entry
    SEMI JOIN batch_folder
        ON batch_folder.number = batch_entry.number
        AND batch_folder.folder_id = batch_entry.path_id
    WHERE NOT batch_entry.is_plain
),

covered AS (
    SELECT DISTINCT batch_pair.other AS number, special.path_id
    FROM special
    JOIN batch_pair USING (number)
    SEMI JOIN batch_folder
        ON batch_folder.number = batch_pair.other AND batch_folder.folder_id = special.path_id
    UNION
    SELECT number, path_id FROM own_special
),

chosen_folders AS (
    SELECT covered.number, place.folder_id
    FROM covered
    JOIN batch_place AS place ON place.ancestor_id = covered.path_id
    UNION
    SELECT number, folder_id FROM batch_meeting
),

-- Directories with marks in them, at any depth.
mark_folders AS (
    SELECT DISTINCT place.ancestor_id AS folder_id
    FROM batch_entry
    JOIN batch_place AS place ON place.folder_id IN (batch_entry.folder_id, batch_entry.path_id)
    WHERE batch_entry.is_mark
),

repeated AS (
    SELECT number, path_id FROM batch_entry GROUP BY number, path_id HAVING count(*) > 1
),

link_targets AS (
    SELECT DISTINCT link_id FROM batch_entry WHERE link_id IS NOT NULL
)

SELECT number, member
FROM batch_entry
SEMI JOIN chosen_folders USING (number, folder_id)
UNION
SELECT number, member FROM batch_entry SEMI JOIN repeated USING (number, path_id)
UNION
SELECT number, member FROM batch_entry SEMI JOIN own_special USING (number, path_id)
UNION
SELECT number, member
FROM batch_entry
WHERE
    is_mark
    OR link_id IS NOT NULL
    OR path_id IN (SELECT link_id FROM link_targets)
    OR path_id IN (SELECT folder_id FROM mark_folders)
UNION
-- paths of Windows that differ in case may be one
SELECT number, member
FROM batch_entry
WHERE EXISTS (SELECT 1 FROM node WHERE node.is_windows)
UNION
-- a directory that a layer has by deeper entries alone
SELECT number, member
FROM batch_folder
WHERE member IS NOT NULL AND folder_id IN (SELECT folder_id FROM mark_folders);
