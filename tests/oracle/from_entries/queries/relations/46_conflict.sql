-- Question: Which layers of an image cannot change places, and because of which path?
-- Grain:    one row per (lower layer, upper layer) that do not commute
-- Params:   none
-- Columns:  lower_layer  VARCHAR  key of the layer
--           upper_layer  VARCHAR  key of a layer that is above it in some image
--           grade        VARCHAR  equivalent: they commute in neither grade; identical: they
--                                 commute but for mtimes of directories that both carry
--           rule         VARCHAR  same path, directory metadata, directory mtime, whiteout, opaque,
--                                 link target, implied directory; below a file, below a whiteout,
--                                 below an opaque, below a link target; else, as in unproven:
--                                 through a symlink, unlike entry, dangling link
--           lower_path   VARCHAR  evidence: a path that the lower layer names; null if it is of
--                                 the upper layer alone
--           upper_path   VARCHAR  path of the upper layer that conflicts with it; null if it is
--                                 of the lower layer alone
--           paths        BIGINT   number of conflicts that count for this grade
-- Source:   docs/measures.md, "Layers that commute", "Grades of equality", "Orders and unpackers"
--
-- The rules of unproven hold a layer in its place among all others. They are given only for pairs
-- that no other rule holds. They depend on the layers below, and a pair has the rules of all images
-- that hold both layers.
--
-- How the cost grows: paths are looked up, never compared pair by pair. A path that only one layer
-- names conflicts with nothing, unless that layer is twice in an image. A path conflicts with an
-- ancestor only if that is not a directory, which is rare.
--
-- Only these paths can conflict at the path itself.
WITH shared_paths AS (
    SELECT path FROM touch GROUP BY path HAVING count(DISTINCT layer) > 1
    UNION
    SELECT touch.path
    FROM layer_pair
    JOIN touch ON touch.layer = layer_pair.lower_layer
    WHERE layer_pair.lower_layer = layer_pair.upper_layer
),

shared_touches AS (
    SELECT * FROM touch WHERE path IN (SELECT path FROM shared_paths)
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
            WHEN 'header' IN (lower_touch.role, upper_touch.role) THEN 'same path'
            WHEN lower_touch.look <> upper_touch.look THEN 'directory metadata'
            ELSE 'directory mtime'
        END AS rule,
        lower_touch.path AS lower_path,
        upper_touch.path AS upper_path
    FROM shared_touches AS lower_touch
    JOIN layer_pair ON layer_pair.lower_layer = lower_touch.layer
    JOIN shared_touches AS upper_touch
        ON upper_touch.layer = layer_pair.upper_layer AND upper_touch.path = lower_touch.path
    -- Allowed in both layers: equal directories, the same whiteout or header. Two links to one
    -- lower file are not: for overlay, the upper layer takes the target with it.
    WHERE lower_touch.role <> upper_touch.role
        OR lower_touch.role NOT IN ('directory', 'whiteout', 'header')
        OR lower_touch.look IS DISTINCT FROM upper_touch.look
        OR lower_touch.mtime_ns IS DISTINCT FROM upper_touch.mtime_ns
),

-- The directories of all named paths, each once in the whole store, keep the join below small.
folders AS (
    SELECT DISTINCT parent_of(path) AS folder FROM touch WHERE path <> ''
),

covered AS (
    SELECT folder, folder AS cover FROM folders
    UNION
    SELECT folder, unnest(ancestors_of(folder)) FROM folders
),

-- A layer implies the directories above its entries and marks that it does not list. Only those
-- that another layer lists can conflict.
listed AS (
    SELECT layer, path FROM touch WHERE role = 'directory' AND path <> ''
),

layer_folders AS (
    SELECT DISTINCT layer, parent_of(path) AS folder
    FROM touch
    WHERE path <> '' AND role <> 'target'
),

implied AS (
    SELECT layer_folders.layer, covered.cover AS path
    FROM covered
    JOIN layer_folders USING (folder)
    WHERE covered.cover IN (SELECT path FROM listed)
    EXCEPT
    SELECT layer, path FROM listed
),

implied_pairs AS (
    SELECT layer_pair.lower_layer, layer_pair.upper_layer, listed.path
    FROM implied
    JOIN layer_pair ON layer_pair.lower_layer = implied.layer
    JOIN listed ON listed.layer = layer_pair.upper_layer AND listed.path = implied.path
    UNION ALL
    SELECT layer_pair.lower_layer, layer_pair.upper_layer, listed.path
    FROM implied
    JOIN layer_pair ON layer_pair.upper_layer = implied.layer
    JOIN listed ON listed.layer = layer_pair.lower_layer AND listed.path = implied.path
),

-- Marks, link targets and entries that are not directories conflict with every path below them.
covers AS (
    SELECT DISTINCT layer, path, role
    FROM touch
    WHERE rule_below(role) IS NOT NULL AND path IN (SELECT cover FROM covered)
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
    SELECT lower_layer, upper_layer, 'implied directory', path, path AS upper_path
    FROM implied_pairs
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

-- Layers that cannot be proven to commute with any other layer of their images.
apart AS (
    SELECT
        above.below_layer AS lower_layer,
        above.layer AS upper_layer,
        unproven.rule,
        NULL AS lower_path,
        unproven.path AS upper_path,
        unproven.paths
    FROM unproven
    JOIN above USING (chain_id)
    UNION ALL
    SELECT above.below_layer, above.layer, unproven.rule, unproven.path, NULL, unproven.paths
    FROM unproven
    JOIN above ON above.below = unproven.chain_id
),

held AS (
    SELECT lower_layer, upper_layer FROM meetings WHERE rule <> 'directory mtime'
),

conflicts AS (
    SELECT *, 1 AS paths FROM meetings
    UNION ALL
    SELECT
        lower_layer,
        upper_layer,
        rule,
        min(lower_path) AS lower_path,
        min(upper_path) AS upper_path,
        max(paths) AS paths
    FROM apart
    ANTI JOIN held USING (lower_layer, upper_layer)
    WHERE lower_layer IS NOT NULL AND upper_layer IS NOT NULL
    GROUP BY lower_layer, upper_layer, rule, lower_path IS NULL
),

graded AS (
    SELECT
        *, CASE WHEN rule = 'directory mtime' THEN 'identical' ELSE 'equivalent' END AS grade
    FROM conflicts
)

SELECT
    lower_layer,
    upper_layer,
    min(grade) AS grade,
    arg_min(rule, (grade, is_late, lower_path, upper_path, rule)) AS rule,
    arg_min(evidence, (grade, is_late, lower_path, upper_path, rule)).lower_path AS lower_path,
    arg_min(evidence, (grade, is_late, lower_path, upper_path, rule)).upper_path AS upper_path,
    sum(paths) FILTER (WHERE rule <> 'directory mtime' OR rules = 1)::BIGINT AS paths
FROM (
    -- If a pair conflicts in both grades, only those of grade equivalent are counted.
    SELECT
        *,
        rule IN ('directory metadata', 'implied directory') AS is_late,
        struct_pack(lower_path := lower_path, upper_path := upper_path) AS evidence,
        count(DISTINCT grade) OVER (PARTITION BY lower_layer, upper_layer) AS rules
    FROM graded
) AS counted
GROUP BY lower_layer, upper_layer;
