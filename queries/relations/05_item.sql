-- Question: What do the layers that some image references hold, apart from what is ignored?
-- Grain:    one row per entry (layer, member); whiteouts and opaque marks included
-- Params:   none
-- Columns:  as the table entries, and
--           taken_by    INTEGER  first later member of the same layer that took the path; null
--                                while it stands
-- Source:   MEASURES.md, "superseded"; formats: the last of a name wins
WITH here AS (
    SELECT *
    FROM entries
    WHERE layer IN (SELECT layer FROM node) AND kind <> 'ignored'
),

things AS (
    SELECT layer, member, path, kind FROM here WHERE kind NOT IN ('whiteout', 'opaque')
),

repeated AS (
    SELECT layer, path, list_sort(list(member)) AS members
    FROM things
    GROUP BY layer, path
    HAVING count(*) > 1
),

-- same path: the next member of it takes it
same_path AS (
    SELECT layer, unnest(members[:-2]) AS member, unnest(members[2:]) AS taken_by FROM repeated
),

-- folders of things, so that a thing that is no directory and has things below it is found
folders AS (
    SELECT DISTINCT layer, unnest(ancestors_of(folder)) AS folder
    FROM (SELECT DISTINCT layer, parent_of(path) AS folder FROM things WHERE path <> '') AS parents
    UNION
    SELECT DISTINCT layer, parent_of(path) FROM things WHERE path <> ''
),

turned AS (
    SELECT things.layer, things.path, things.member
    FROM things
    JOIN folders ON folders.layer = things.layer AND folders.folder = things.path
    WHERE things.kind <> 'directory'
),

-- rare, so only their layers are looked through
below AS (
    SELECT layer, member, unnest(ancestors_of(path)) AS folder
    FROM things
    WHERE layer IN (SELECT layer FROM turned)
),

inside AS (
    SELECT turned.layer, turned.member AS outer_member, below.member AS inner_member
    FROM turned
    JOIN below ON below.layer = turned.layer AND below.folder = turned.path
),

takings AS (
    SELECT layer, member, taken_by FROM same_path
    UNION ALL
    SELECT layer, inner_member, outer_member FROM inside WHERE outer_member > inner_member
    UNION ALL
    SELECT layer, outer_member, inner_member FROM inside WHERE inner_member > outer_member
),

taken AS (
    SELECT layer, member, min(taken_by) AS taken_by FROM takings GROUP BY layer, member
)

SELECT here.*, taken.taken_by
FROM here
LEFT JOIN taken USING (layer, member);
