-- Question: By which one spelling does each path of the layers of Windows stand for all others?
-- Grain:    one row per path as some layer spells it
-- Params:   none
-- Columns:  path    VARCHAR  as a layer spells it
--           common  VARCHAR  the spelling for all paths that differ from it in case only
-- Source:   docs/measures.md, "Windows images"
--
-- The common spelling of a path begins with that of its directory, so that paths stay a tree. Of
-- several spellings of a name the most frequent is taken.
WITH spelled AS (
    SELECT path FROM entries WHERE layer IN (SELECT layer FROM windows_layer)
    UNION
    SELECT link
    FROM entries
    WHERE layer IN (SELECT layer FROM windows_layer) AND kind = 'hardlink' AND link IS NOT NULL
),

steps AS (
    SELECT path, unnest(list_append(ancestors_of(path), path)) AS step
    FROM spelled
    WHERE path <> ''
),

names AS (
    SELECT lower(step) AS folded, regexp_extract(step, '[^/]*$') AS name, count(*) AS paths
    FROM steps
    WHERE step <> ''
    GROUP BY folded, name
),

named AS (
    SELECT folded, arg_min(name, (-paths, name)) AS name FROM names GROUP BY folded
)

SELECT steps.path, string_agg(named.name, '/' ORDER BY len(steps.step)) AS common
FROM steps
JOIN named ON named.folded = lower(steps.step)
GROUP BY steps.path;
