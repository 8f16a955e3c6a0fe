-- Question: Which members of a layer do later members of it replace?
-- Grain:    one row per member that is replaced (layer, member)
-- Params:   none
-- Columns:  layer     VARCHAR  key of the layer
--           member    INTEGER  the member that is replaced
--           taken_by  INTEGER  first later member that replaced it
-- Source:   docs/measures.md, "Entry", "Causes"
--
-- If a layer has a path several times, its last member counts. An entry that is not a directory
-- conflicts with entries below its path.
--
-- Both are rare. So what can be of either kind is found first, by hashes and over all layers, and
-- only that is compared.
WITH named AS (
    SELECT layer, member, path, kind
    FROM entries
    WHERE
        layer IN (SELECT layer FROM node)
        AND layer NOT IN (SELECT layer FROM windows_entry)
        AND kind NOT IN ('ignored', 'whiteout', 'opaque')
    UNION ALL
    SELECT layer, member, path, kind FROM windows_entry WHERE NOT is_mark(kind)
),

likely_keys AS (
    SELECT hash(layer, path) AS key FROM named GROUP BY key HAVING count(*) > 1
),

repeated AS (
    SELECT layer, path, list_sort(list(member)) AS members
    FROM named
    WHERE hash(layer, path) IN (SELECT key FROM likely_keys)
    GROUP BY layer, path
    HAVING count(*) > 1
),

-- A member is replaced by the next member of the same path.
same_path AS (
    SELECT layer, unnest(members[:-2]) AS member, unnest(members[2:]) AS taken_by FROM repeated
),

-- Every directory that the paths of any layer imply.
parents AS (
    SELECT DISTINCT parent_of(path) AS folder FROM named WHERE path <> ''
),

folders AS (
    SELECT folder FROM parents
    UNION
    SELECT unnest(ancestors_of(folder)) FROM parents
),

non_folders AS MATERIALIZED (
    SELECT layer, path, member
    FROM named
    WHERE kind <> 'directory' AND path IN (SELECT folder FROM folders)
),

below AS (
    SELECT named.layer, named.member, unnest(ancestors_of(named.path)) AS folder
    FROM named
    WHERE named.layer IN (SELECT layer FROM non_folders)
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
)

SELECT layer, member, min(taken_by) AS taken_by
FROM replacements
GROUP BY layer, member;
