-- Question: Which layers of an image may not change places, and for which path?
-- Grain:    one row per (lower layer, upper layer) that do not commute
-- Params:   none
-- Columns:  lower_layer  VARCHAR  key of the layer
--           upper_layer  VARCHAR  key of a layer that stands above it in some image
--           grade        VARCHAR  equivalent: they commute in no grade; identical: only mtimes of
--                                 directories that both carry stand in the way
--           rule         VARCHAR  same path, directory metadata, directory mtime, whiteout, opaque,
--                                 link target; below a file, below a whiteout, below an opaque,
--                                 below a link target
--           lower_path   VARCHAR  witness: a path that the lower layer names
--           upper_path   VARCHAR  and what it meets in the upper layer
--           paths        BIGINT   meetings of that grade
-- Source:   MEASURES.md, "Reordering": no path equals, or lies below what is no plain directory
--
-- How the cost grows: paths are looked up, never compared pair by pair. A path that a single layer
-- names meets none, unless that layer lies twice in an image; a path meets what lies above it only
-- where that is no directory, which is rare.
WITH meeting AS (
    SELECT path FROM touch GROUP BY path HAVING count(DISTINCT layer) > 1
    UNION
    SELECT touch.path
    FROM layer_pair
    JOIN touch ON touch.layer = layer_pair.lower_layer
    WHERE layer_pair.lower_layer = layer_pair.upper_layer
),

met AS (
    SELECT * FROM touch WHERE path IN (SELECT path FROM meeting)
),

at_path AS (
    SELECT
        layer_pair.lower_layer,
        layer_pair.upper_layer,
        CASE
            WHEN 'whiteout' IN (lower_touch.role, upper_touch.role) THEN 'whiteout'
            WHEN 'opaque' IN (lower_touch.role, upper_touch.role) THEN 'opaque'
            WHEN 'target' IN (lower_touch.role, upper_touch.role) THEN 'link target'
            WHEN 'other' IN (lower_touch.role, upper_touch.role) THEN 'same path'
            WHEN lower_touch.look <> upper_touch.look THEN 'directory metadata'
            ELSE 'directory mtime'
        END AS rule,
        lower_touch.path AS lower_path,
        upper_touch.path AS upper_path
    FROM met AS lower_touch
    JOIN layer_pair ON layer_pair.lower_layer = lower_touch.layer
    JOIN met AS upper_touch
        ON upper_touch.layer = layer_pair.upper_layer AND upper_touch.path = lower_touch.path
    -- what both may carry alike: plain directories, the same whiteout, the same target
    WHERE lower_touch.role <> upper_touch.role
        OR lower_touch.role NOT IN ('directory', 'whiteout', 'target')
        OR lower_touch.look IS DISTINCT FROM upper_touch.look
        OR lower_touch.mtime_ns IS DISTINCT FROM upper_touch.mtime_ns
),

-- folders of paths that are named, each once in the whole store
folders AS (
    SELECT DISTINCT parent_of(path) AS folder FROM touch WHERE path <> ''
),

covered AS (
    SELECT folder, folder AS cover FROM folders
    UNION
    SELECT folder, unnest(ancestors_of(folder)) FROM folders
),

covers AS (
    SELECT DISTINCT layer, path, role
    FROM touch
    WHERE role <> 'directory' AND path IN (SELECT cover FROM covered)
),

inside AS (
    SELECT touch.layer, touch.path, covers.path AS cover
    FROM (SELECT DISTINCT path FROM covers) AS covers
    JOIN covered ON covered.cover = covers.path
    JOIN touch ON touch.path <> '' AND parent_of(touch.path) = covered.folder
),

below_path AS (
    SELECT
        layer_pair.lower_layer,
        layer_pair.upper_layer,
        covers.role,
        inside.path AS lower_path,
        inside.cover AS upper_path
    FROM inside
    JOIN layer_pair ON layer_pair.lower_layer = inside.layer
    JOIN covers ON covers.layer = layer_pair.upper_layer AND covers.path = inside.cover
    UNION ALL
    SELECT
        layer_pair.lower_layer, layer_pair.upper_layer, covers.role, inside.cover, inside.path
    FROM inside
    JOIN layer_pair ON layer_pair.upper_layer = inside.layer
    JOIN covers ON covers.layer = layer_pair.lower_layer AND covers.path = inside.cover
),

meetings AS (
    SELECT * FROM at_path
    UNION ALL
    SELECT
        lower_layer,
        upper_layer,
        CASE role
            WHEN 'whiteout' THEN 'below a whiteout'
            WHEN 'opaque' THEN 'below an opaque'
            WHEN 'target' THEN 'below a link target'
            ELSE 'below a file'
        END,
        lower_path,
        upper_path
    FROM below_path
),

graded AS (
    SELECT
        *, CASE WHEN rule = 'directory mtime' THEN 'identical' ELSE 'equivalent' END AS grade
    FROM meetings
)

SELECT
    lower_layer,
    upper_layer,
    min(grade) AS grade,
    arg_min(rule, (grade, rule = 'directory metadata', lower_path, upper_path, rule)) AS rule,
    arg_min(lower_path, (grade, rule = 'directory metadata', lower_path, upper_path, rule))
        AS lower_path,
    arg_min(upper_path, (grade, rule = 'directory metadata', lower_path, upper_path, rule))
        AS upper_path,
    count(*) FILTER (WHERE rule <> 'directory mtime' OR rules = 1) AS paths
FROM (
    SELECT
        *,
        count(DISTINCT grade) OVER (PARTITION BY lower_layer, upper_layer) AS rules
    FROM graded
) AS counted
GROUP BY lower_layer, upper_layer;
