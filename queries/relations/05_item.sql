-- Question: Which entries do the referenced layers hold, apart from ignored ones?
-- Grain:    one row per entry (layer, member); whiteouts and opaque marks included
-- Params:   none
-- Columns:  as the table entries, and
--           spelling    VARCHAR  path as the layer has it; path differs from it in case only, and
--                                only in layers of Windows
--           is_merged   BOOLEAN  what Windows merges with lower entries of its path: hives
--           taken_by    INTEGER  first later member of the same layer that replaced this one; null
--                                if none did
-- Source:   docs/measures.md, "Entry", "Causes", "Windows images"
--
-- If a layer has a path several times, its last member counts.
WITH here AS (
    SELECT *, path AS spelling, FALSE AS is_merged
    FROM entries
    WHERE
        layer IN (SELECT layer FROM node)
        AND layer NOT IN (SELECT layer FROM windows_layer)
        AND kind <> 'ignored'
    UNION ALL
    SELECT
        entries.* REPLACE (
            coalesce(windows_path.common, entries.path) AS path,
            coalesce(target.common, entries.link) AS link
        ),
        entries.path AS spelling,
        regexp_full_match(lower(entries.path), 'hives/[^/]*_delta') AS is_merged
    FROM entries
    JOIN windows_layer USING (layer)
    LEFT JOIN windows_path ON windows_path.path = entries.path
    LEFT JOIN windows_path AS target
        ON target.path = entries.link AND entries.kind = 'hardlink'
    WHERE entries.kind <> 'ignored'
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
