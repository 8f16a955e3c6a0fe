-- Question: Which paths does an image show today and in another order of its layers?
-- Grain:    one row per path that is visible in either order; the session holds one image in
--           both orders
-- Params:   none
-- Columns:  same               BOOLEAN  nothing differs, except the mtime of a directory that
--                                       several layers list
--           kind               VARCHAR  kind of file
--           position           INTEGER  index of the layer that provides it today; null if it is
--                                       not visible, or is an implied directory
--           proposed_position  INTEGER  index of the layer that provides it in the other order;
--                                       null as position
--           mtime_ns           BIGINT   nanoseconds since 1970; null as position
--           proposed_mtime_ns  BIGINT   the same in the other order; null as position
--           path               VARCHAR  visible path
-- Source:   docs/measures.md, "Proof of a proposal", "Grades of equality"
WITH today AS (
    SELECT * FROM view_entry WHERE NOT starts_with(image_id, 'proposed:')
),

proposed AS (
    SELECT * FROM view_entry WHERE starts_with(image_id, 'proposed:')
)

SELECT
    coalesce(
        today.look = proposed.look
        AND (today.carried OR today.mtime_ns IS NOT DISTINCT FROM proposed.mtime_ns),
        FALSE
    ) AS same,
    coalesce(today.kind, proposed.kind) AS kind,
    today.position,
    proposed.position AS proposed_position,
    today.mtime_ns,
    proposed.mtime_ns AS proposed_mtime_ns,
    coalesce(today.path, proposed.path) AS path
FROM today
FULL JOIN proposed ON proposed.path = today.path
ORDER BY same, path;
