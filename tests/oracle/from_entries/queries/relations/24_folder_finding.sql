-- Question: Which large folders are stored more than once, in one layer or several?
-- Grain:    one row per class of equal folders of a megabyte or more, only the outermost
-- Params:   none
-- Columns:  as 20_hidden_finding; chain_id and other_chain are chain nodes of two copies
-- Source:   docs/findings.md
--
-- A folder is inside a larger finding if its parent has as many copies, in every place.
WITH outermost AS (
    SELECT folder.class
    FROM folder
    LEFT JOIN folder AS above_it
        ON above_it.layer = folder.layer AND above_it.folder = folder.parent
    WHERE folder.size_bytes >= 1000000
    GROUP BY folder.class
    HAVING NOT bool_and(above_it.class IS NOT NULL AND above_it.copies = folder.copies)
),

copies AS (
    SELECT folder.* FROM folder JOIN outermost USING (class)
),

hidden_copies AS (
    SELECT DISTINCT copies.layer, copies.folder
    FROM copies
    JOIN item
        ON item.layer = copies.layer
        AND starts_with(
            item.path, CASE WHEN copies.folder = '' THEN '' ELSE copies.folder || '/' END
        )
    JOIN dead ON dead.layer = item.layer AND dead.member = item.member
),

-- Copies that a later layer hides (by a chmod or a delete) are findings of their own kind.
visible_copies AS (
    SELECT
        copies.class,
        count(*) AS copies,
        any_value(copies.files) AS files,
        any_value(copies.size_bytes) AS size_bytes,
        min((copies.layer, copies.folder)) AS first_copy,
        max((copies.layer, copies.folder)) AS last_copy,
        list_sort(list(DISTINCT '/' || copies.folder))[:5] AS paths
    FROM copies
    ANTI JOIN hidden_copies USING (layer, folder)
    GROUP BY copies.class
    HAVING count(*) > 1
)

SELECT
    'folder-again' AS kind,
    one.chain_id,
    other.chain_id AS other_chain,
    visible_copies.files * (visible_copies.copies - 1) AS files,
    visible_copies.size_bytes * (visible_copies.copies - 1) AS size_bytes,
    visible_copies.size_bytes * (visible_copies.copies - 1) AS saves_bytes,
    []::VARCHAR[] AS fields,
    visible_copies.paths,
    CASE
        WHEN visible_copies.first_copy[1] = visible_copies.last_copy[1]
            THEN 'the step copies a folder twice: copy it once, and link'
        ELSE
            format(
                '{} copies: put the folder into a layer of its own that all its images start with',
                visible_copies.copies
            )
    END AS fix
FROM visible_copies
JOIN node AS one ON one.layer = visible_copies.first_copy[1] AND one.is_first
JOIN node AS other ON other.layer = visible_copies.last_copy[1] AND other.is_first;
