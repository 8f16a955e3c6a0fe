-- Question: Which large folders are copied into several layers?
-- Grain:    one row per class of equal folders of a megabyte or more, the outermost only
-- Params:   none
-- Columns:  as 20_hidden_finding; chain_id and other_chain are places of two of the copies
-- Source:   docs/findings.md
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

dead_copies AS (
    SELECT DISTINCT copies.layer, copies.folder
    FROM copies
    JOIN item
        ON item.layer = copies.layer
        AND starts_with(
            item.path, CASE WHEN copies.folder = '' THEN '' ELSE copies.folder || '/' END
        )
    JOIN dead ON dead.layer = item.layer AND dead.member = item.member
),

-- copies that are hidden, by a chmod or a delete, are findings of their own
living AS (
    SELECT
        copies.class,
        count(*) AS copies,
        any_value(copies.files) AS files,
        any_value(copies.size_bytes) AS size_bytes,
        min((copies.layer, copies.folder)) AS first_copy,
        max((copies.layer, copies.folder)) AS last_copy,
        list_sort(list(DISTINCT '/' || copies.folder))[:5] AS paths
    FROM copies
    ANTI JOIN dead_copies USING (layer, folder)
    GROUP BY copies.class
    HAVING count(*) > 1
),

places AS (
    SELECT layer, min(chain_id) AS chain_id FROM node GROUP BY layer
)

SELECT
    'folder-again' AS kind,
    one.chain_id,
    other.chain_id AS other_chain,
    living.files * (living.copies - 1) AS files,
    living.size_bytes * (living.copies - 1) AS size_bytes,
    living.size_bytes * (living.copies - 1) AS saves_bytes,
    []::VARCHAR[] AS fields,
    living.paths,
    CASE
        WHEN living.first_copy[1] = living.last_copy[1]
            THEN 'the step copies a folder twice: copy it once, and link'
        ELSE
            format(
                '{} copies: put the folder into a layer of its own that all its images start with',
                living.copies
            )
    END AS repair
FROM living
JOIN places AS one ON one.layer = living.first_copy[1]
JOIN places AS other ON other.layer = living.last_copy[1];
