-- Question: Which entries do the referenced layers hold, apart from ignored ones?
-- Grain:    one row per entry (layer, member); whiteouts and opaque marks included
-- Params:   none
-- Columns:  as the table entries, and
--           spelling    VARCHAR  in layers of Windows, path as the layer has it, which differs
--                                from path in case only; null in other layers
--           is_merged   BOOLEAN  what Windows merges with lower entries of its path: hives
--           taken_by    INTEGER  first later member of the same layer that replaced this one; null
--                                if none did
-- Source:   docs/measures.md, "Entry", "Causes", "Windows images"
--
-- If a layer has a path several times, its last member counts.
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
),

spellings AS (
    SELECT steps.path, string_agg(frequent_names.name, '/' ORDER BY len(steps.step)) AS common
    FROM steps
    JOIN frequent_names ON frequent_names.folded = lower(steps.step)
    GROUP BY steps.path
),

here AS (
    SELECT *, NULL::VARCHAR AS spelling, FALSE AS is_merged
    FROM entries
    WHERE
        layer IN (SELECT layer FROM node)
        AND layer NOT IN (SELECT layer FROM windows_layers)
        AND kind <> 'ignored'
    UNION ALL
    SELECT
        windows_entries.* REPLACE (
            coalesce(named.common, windows_entries.path) AS path,
            coalesce(target.common, windows_entries.link) AS link
        ),
        windows_entries.path AS spelling,
        regexp_full_match(lower(windows_entries.path), 'hives/[^/]*_delta') AS is_merged
    FROM windows_entries
    LEFT JOIN spellings AS named ON named.path = windows_entries.path
    LEFT JOIN spellings AS target
        ON target.path = windows_entries.link AND windows_entries.kind = 'hardlink'
    WHERE windows_entries.kind <> 'ignored'
),

paths AS (
    SELECT layer, member, path, kind FROM here WHERE NOT is_mark(kind)
),

repeated AS (
    SELECT layer, path, list_sort(list(member)) AS members
    FROM paths
    GROUP BY layer, path
    HAVING count(*) > 1
),

-- A member is replaced by the next member of the same path.
same_path AS (
    SELECT layer, unnest(members[:-2]) AS member, unnest(members[2:]) AS taken_by FROM repeated
),

-- Every directory that the paths of a layer imply. An entry at such a path that is not a directory
-- conflicts with the entries below it.
folders AS (
    SELECT DISTINCT layer, unnest(ancestors_of(folder)) AS folder
    FROM (SELECT DISTINCT layer, parent_of(path) AS folder FROM paths WHERE path <> '') AS parents
    UNION
    SELECT DISTINCT layer, parent_of(path) FROM paths WHERE path <> ''
),

non_folders AS (
    SELECT paths.layer, paths.path, paths.member
    FROM paths
    JOIN folders ON folders.layer = paths.layer AND folders.folder = paths.path
    WHERE paths.kind <> 'directory'
),

-- Such conflicts are rare, so only the layers that have one are searched.
below AS (
    SELECT layer, member, unnest(ancestors_of(path)) AS folder
    FROM paths
    WHERE layer IN (SELECT layer FROM non_folders)
),

conflicting AS (
    SELECT non_folders.layer, non_folders.member AS outer_member, below.member AS inner_member
    FROM non_folders
    JOIN below ON below.layer = non_folders.layer AND below.folder = non_folders.path
),

replacements AS (
    SELECT layer, member, taken_by FROM same_path
    UNION ALL
    SELECT layer, inner_member, outer_member FROM conflicting WHERE outer_member > inner_member
    UNION ALL
    SELECT layer, outer_member, inner_member FROM conflicting WHERE inner_member > outer_member
),

first_replacement AS (
    SELECT layer, member, min(taken_by) AS taken_by FROM replacements GROUP BY layer, member
)

SELECT here.*, first_replacement.taken_by
FROM here
LEFT JOIN first_replacement USING (layer, member);
