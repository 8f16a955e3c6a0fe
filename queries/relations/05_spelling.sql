-- Question: By which spelling is each path of layers of Windows known?
-- Grain:    one row per path or target of a hard link, as a layer of Windows has it
-- Params:   none
-- Columns:  path    VARCHAR  the path as in a layer
--           common  VARCHAR  the spelling that stands for all that differ from it in case only
-- Source:   docs/measures.md, "Windows images"
--
-- In layers of Windows, one spelling of a path stands for all that differ from it in case only. It
-- begins with that of its directory, so that paths stay a tree. Of several spellings of a name the
-- most frequent is taken.
WITH windows_layers AS (
    SELECT layer FROM node WHERE layer IS NOT NULL GROUP BY layer HAVING bool_and(is_windows)
),

windows_entries AS (
    SELECT * FROM entries WHERE layer IN (SELECT layer FROM windows_layers)
),

spelled AS (
    SELECT path FROM windows_entries WHERE path <> ''
    UNION
    SELECT link FROM windows_entries WHERE kind = 'hardlink' AND link <> ''
),

steps AS (
    SELECT path, unnest(list_append(ancestors_of(path), path)) AS step FROM spelled
),

names AS (
    SELECT lower(step) AS folded, regexp_extract(step, '[^/]*$') AS name, count(*) AS paths
    FROM steps
    WHERE step <> ''
    GROUP BY folded, name
),

frequent_names AS (
    SELECT folded, arg_min(name, (-paths, name)) AS name FROM names GROUP BY folded
)

SELECT steps.path, string_agg(frequent_names.name, '/' ORDER BY len(steps.step)) AS common
FROM steps
JOIN frequent_names ON frequent_names.folded = lower(steps.step)
GROUP BY steps.path;
