-- Question: Why does the first layer that two images do not share differ?
-- Grain:    one row; no row if the images have the same layers
-- Params:   $old  VARCHAR  image ID
--           $new  VARCHAR  image ID
--           $most  INTEGER  maximum number of paths
-- Columns:  position       INTEGER  layer index, 0 = base
--           reason         VARCHAR  added: only the new image has this layer; removed: only the old
--                                   one has it; step: the build steps differ; timestamps: the same
--                                   step, and the entries differ only in mtime; content: the same
--                                   step, and other entries; tar: the same entries in another tar;
--                                   unknown: a layer, or its contents, were not read
--           old_step       VARCHAR  build step; null if the config gives none, or without such a
--                                   layer
--           new_step       VARCHAR  build step; null if the config gives none, or without such a
--                                   layer
--           differing      BIGINT   entries that differ; null if contents were not read
--           paths          STRUCT(path VARCHAR, fields VARCHAR[])[]  the first of them; no
--                                   fields if only one layer has the path; null if
--                                   contents were not read
-- Source:   docs/measures.md, "The same but for timestamps"
WITH old_stack AS (
    SELECT * FROM stack WHERE image_id = $old
),

new_stack AS (
    SELECT * FROM stack WHERE image_id = $new
),

places AS (
    SELECT
        coalesce(old_stack.position, new_stack.position) AS position,
        old_stack.layer AS old_layer,
        new_stack.layer AS new_layer,
        old_stack.position IS NULL AS is_added,
        new_stack.position IS NULL AS is_removed,
        coalesce(old_stack.created_by, '') <> coalesce(new_stack.created_by, '') AS is_other_step,
        old_stack.created_by AS old_step,
        new_stack.created_by AS new_step
    FROM old_stack
    FULL JOIN new_stack ON new_stack.position = old_stack.position
    WHERE old_stack.chain_id IS DISTINCT FROM new_stack.chain_id
),

firsts AS (
    SELECT * FROM places ORDER BY position LIMIT 1
),

-- If a layer has a path several times, its last member counts. A mark is not an entry of its path.
last_entries AS (
    SELECT *, is_mark(kind) AS is_mark
    FROM item
    WHERE
        taken_by IS NULL
        AND layer IN (SELECT unnest([old_layer, new_layer]) FROM firsts)
        -- files of which a quick scan did not read the contents cannot be compared
        AND NOT EXISTS (SELECT 1 FROM firsts WHERE is_listed(old_layer) OR is_listed(new_layer))
),

old_entries AS (
    SELECT last_entries.* FROM last_entries JOIN firsts ON firsts.old_layer = last_entries.layer
),

new_entries AS (
    SELECT last_entries.* FROM last_entries JOIN firsts ON firsts.new_layer = last_entries.layer
),

pairs AS (
    SELECT
        coalesce(old.path, new.path) AS path,
        old.path IS NULL OR new.path IS NULL AS is_alone,
        CASE
            WHEN old.path IS NULL OR new.path IS NULL THEN [] ELSE fields_between(old, new)
        END AS fields
    FROM old_entries AS old
    FULL JOIN new_entries AS new ON new.path = old.path AND new.is_mark = old.is_mark
),

differing AS (
    SELECT * FROM pairs WHERE is_alone OR len(fields) > 0
),

sums AS (
    SELECT
        count(*) AS differing,
        coalesce(bool_and(fields = ['mtime']), FALSE) AS only_times,
        list(struct_pack(path := path, fields := fields) ORDER BY path, fields) AS paths
    FROM differing
)

SELECT
    firsts.position,
    CASE
        WHEN firsts.is_added THEN 'added'
        WHEN firsts.is_removed THEN 'removed'
        WHEN firsts.is_other_step THEN 'step'
        WHEN firsts.old_layer IS NULL OR firsts.new_layer IS NULL THEN 'unknown'
        WHEN is_listed(firsts.old_layer) OR is_listed(firsts.new_layer) THEN 'unknown'
        WHEN sums.differing = 0 THEN 'tar'
        WHEN sums.only_times THEN 'timestamps'
        ELSE 'content'
    END AS reason,
    firsts.old_step,
    firsts.new_step,
    if(is_listed(firsts.old_layer) OR is_listed(firsts.new_layer), NULL, sums.differing)
        AS differing,
    if(
        is_listed(firsts.old_layer) OR is_listed(firsts.new_layer),
        NULL,
        coalesce(list_slice(sums.paths, 1, $most), [])
    ) AS paths
FROM firsts
CROSS JOIN sums
ORDER BY firsts.position;
